import time, torch, sys, math
from torch import nn
from companion import models, regularization as R
from companion.codelength import prequential_bits
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
BL=(32,64,125,250,500,1000,2000,4000)
def fitter(augment=None,epochs=30,min_steps=300,wd=.1,lr=1e-2,bs=64,**kw):
    def f(m,data,seed):
        spe=math.ceil(len(data)/bs)
        fit(m,data,epochs=max(epochs,math.ceil(min_steps/spe)),lr=lr,schedule='one_cycle',batch_size=bs,weight_decay=wd,seed=seed,augment=augment,progress=False,**kw)
    return f
def shift(m): return lambda x,g: R.random_shifts(x,m,g)
def warp(m,s=.1,noise=0.):
    def f(x,g):
        x=R.random_shifts(x,m,g)
        x=x*(1+s*torch.randn(len(x),1,generator=g))
        return x+noise*torch.randn(x.shape,generator=g) if noise else x
    return f
def cnn(c=25,p=0.):
    layers=list(models.cnn1d(c,batch_norm=True))
    if p: layers.insert(len(layers)-1,nn.Dropout(p))
    return nn.Sequential(*layers)
def run(name,make,f,seeds=(0,),blocks=BL):
    for s in seeds:
        t=time.process_time(); code=prequential_bits(make,train,blocks=blocks,fit=f,seed=s)
        print(f'{name:30} {s} {code.total_bits:7.0f}', [round(b) for b in code.block_bits], f'{time.process_time()-t:.0f}s',flush=True)
if __name__=='__main__':
    run('base',cnn,fitter())
    run('shift6',cnn,fitter(shift(6)))
    run('warp6',cnn,fitter(warp(6)))
    run('warp6 600 steps',cnn,fitter(warp(6),min_steps=600,epochs=40))
    run('warp6 drop.5',lambda:cnn(25,.5),fitter(warp(6)))
    run('warp6 40ch',lambda:cnn(40),fitter(warp(6)))
