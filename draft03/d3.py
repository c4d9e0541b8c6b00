from d import *
run('drop 0 .5 400',lambda: mlp(p=(0,.5)),seeds=(0,1,2))
run('drop .2 .5 400 60ep',lambda: mlp(p=(.2,.5)),seeds=(0,1,2),epochs=60)
run('drop .3 .5 400 lr1e-2 30',lambda: mlp(p=(.2,.5)),seeds=(0,1,2),lr=1e-2)
run('plain 400 lr1e-2 30',seeds=(0,1,2),lr=1e-2)
run('shifts 2',seeds=(0,1),augment=lambda x,g: R.random_shifts(x,2,g))
