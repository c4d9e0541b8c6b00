import time, torch
from companion import models
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
def run(name, make, seeds=range(6), **kw):
    out=[]
    for seed in seeds:
        seed_everything(seed); m=make()
        h=fit(m,train,optimizer='adam',weight_decay=.1,seed=seed,progress=False,**kw)
        out.append((round(evaluate(m,test).accuracy,2)))
    print(name,out,flush=True)
run('25 3e-3 b64 4ep', models.cnn1d, lr=3e-3,batch_size=64,epochs=4)
run('25 1e-3 b64 4ep', models.cnn1d, lr=1e-3,batch_size=64,epochs=4)
run('12 1e-2 b64 4ep', lambda: models.cnn1d(12), lr=1e-2,batch_size=64,epochs=4)
run('12 3e-3 b64 4ep', lambda: models.cnn1d(12), lr=3e-3,batch_size=64,epochs=4)
run('25 1e-2 b256 ', models.cnn1d, lr=1e-2,batch_size=256,epochs=10)
run('mlp 3e-3', models.mlp, lr=3e-3,batch_size=64,epochs=6)
run('mlp 1e-2', models.mlp, lr=1e-2,batch_size=64,epochs=6)
run('mlp 1e-2 oc', models.mlp, lr=1e-2,batch_size=64,epochs=10,schedule='one_cycle')
