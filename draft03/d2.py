from d import *
run('plain 400',seeds=(2,3,4))
run('drop .2 .5 400',lambda: mlp(p=(.2,.5)),seeds=(2,3,4))
run('plain 400 15ep 1e-3',seeds=(0,1,2,3,4),lr=1e-3,epochs=12)
run('drop .2 .5 400 1e-3',lambda: mlp(p=(.2,.5)),seeds=(0,1,2),lr=1e-3,epochs=40)
