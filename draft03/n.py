import torch, math, time
from torch import nn
from companion import models, regularization as R
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist1d'),load('mnist1d',split='test')
for ch,ep,wd in ((16,6,1.5),(20,6,2.),(25,6,2.)):
    out=[]
    for g in (False,True):
        t=time.process_time(); seed_everything(0); m=models.cnn1d(ch,batch_norm=True)
        opt=torch.optim.AdamW(R.decay_groups(m,wd) if g else m.parameters(),lr=1e-2,weight_decay=wd)
        fit(m,train,epochs=ep,lr=1e-2,schedule='one_cycle',batch_size=64,progress=False,optimizer=lambda _: opt)
        a,b=evaluate(m,train),evaluate(m,test); out.append((round(a.accuracy,3),round(a.loss/math.log(2),2),round(b.accuracy,3),round(b.loss/math.log(2),2),round(m[2].weight.abs().mean().item(),2),round(time.process_time()-t,1)))
    print(ch,ep,wd,out,flush=True)
