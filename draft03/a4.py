import time, torch
from torch import nn
from companion import models
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
def net(c=25):
    return nn.Sequential(nn.Unflatten(1,(1,40)),nn.Conv1d(1,c,5,2,1),nn.ReLU(),nn.Conv1d(c,c,3,2,1),nn.ReLU(),nn.Conv1d(c,c,3,2,1),nn.ReLU(),nn.Flatten(),nn.Linear(5*c,10))
def run(name, make, opts=('adam',),seeds=range(6), **kw):
    for opt in opts:
        out=[]; t=time.process_time()
        for seed in seeds:
            seed_everything(seed); m=make()
            h=fit(m,train,optimizer=opt,weight_decay=.1,seed=seed,progress=False,**kw)
            out.append((round(evaluate(m,test).accuracy,2)))
        print(name,opt,out,round((time.process_time()-t)/6,1),flush=True)
run('net 3e-3 1500', net, lr=3e-3,batch_size=64,epochs=8)
run('net 3e-3 1500', net, lr=1e-2,batch_size=64,epochs=8)
run('net oc 1e-2 ', net, lr=1e-2,batch_size=64,epochs=10,schedule='one_cycle',opts=('adam','adamw'))
run('net oc 3e-3 24', net, lr=3e-3,batch_size=64,epochs=24,opts=('adamw','adam'),seeds=range(3))
def deep(c=25):
    l=list(models.cnn1d(c)); i=l.index(l[5]); 
    return nn.Sequential(*l[:5],nn.Conv1d(c,c,5,1,2),nn.ReLU(),*l[5:])
run('deep oc 1e-2 ', deep, lr=1e-2,batch_size=64,epochs=10,schedule='one_cycle',opts=('adam',))
