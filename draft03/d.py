import time, torch, sys, math
from torch import nn
from companion import models, regularization as R
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist'),load('mnist',split='test')
print(len(train),len(test), train.inputs.mean(), train.inputs.std())
torch.set_num_threads(1)
def mlp(h=400,p=(0,0)):
    d=lambda q: [nn.Dropout(q)] if q else []
    return nn.Sequential(nn.Flatten(),*d(p[0]),nn.Linear(784,h),nn.ReLU(),*d(p[1]),nn.Linear(h,h),nn.ReLU(),*d(p[1]),nn.Linear(h,10))
def run(name,make=mlp,seeds=(0,1),epochs=30,lr=3e-3,bs=64,**kw):
    acc=[];t=time.process_time()
    for s in seeds:
        seed_everything(s); m=make()
        fit(m,train,epochs=epochs,lr=lr,schedule='one_cycle',batch_size=bs,seed=s,progress=False,**kw)
        acc.append(evaluate(m,test).accuracy)
    print(f'{name:20}',[round(a,4) for a in acc], f'{(time.process_time()-t)/len(seeds):.1f}s',flush=True)
if __name__=='__main__': run('plain')
if __name__=='__main__': run('l2 1e-4',loss=lambda m,x,y: nn.functional.cross_entropy(m(x),y)+R.l2_penalty([p for p in m.parameters() if p.ndim>1],1e-3))
if __name__=='__main__': run('drop .2 .5',lambda: mlp(p=(.2,.5)))
if __name__=='__main__': run('maxnorm 2',callbacks=[R.MaxNorm(2)])
if __name__=='__main__': run('maxnorm 1',callbacks=[R.MaxNorm(1)])
if __name__=='__main__': run('drop + maxnorm 2',lambda: mlp(p=(.2,.5)),callbacks=[R.MaxNorm(2)])
if __name__=='__main__': run('drop + maxnorm 1',lambda: mlp(p=(.2,.5)),callbacks=[R.MaxNorm(1)])
