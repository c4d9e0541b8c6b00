import time, torch, copy
from torch import nn
from companion import models, regularization as R
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
# A: AdamW vs Adam L2
for seed in range(3):
    out=[]
    for opt in ('adamw','adam'):
        for wd in (0.1,):
            t=time.process_time(); seed_everything(seed); m=models.cnn1d()
            h=fit(m,train,epochs=48,max_steps=1500,lr=3e-3,optimizer=opt,weight_decay=wd,seed=seed,progress=False)
            out.append((opt,wd,round(evaluate(m,test).accuracy,3),round(h.loss[-1],3),round(time.process_time()-t,1)))
    print(seed,out,flush=True)
# dropout forgotten
def mlp_drop(p=.5):
    return nn.Sequential(nn.Linear(40,100),nn.ReLU(),R.Dropout(p),nn.Linear(100,100),nn.ReLU(),R.Dropout(p),nn.Linear(100,10))
for seed in range(3):
    for p in (.2,.5):
        t=time.process_time(); seed_everything(seed); m=mlp_drop(p)
        fit(m,train,epochs=30,lr=1e-2,schedule='one_cycle',batch_size=64,seed=seed,progress=False)
        ev=evaluate(m,test).accuracy; m.train(); seed_everything(seed)
        with torch.no_grad(): tr=[(m(test.inputs).argmax(1)==test.targets).float().mean().item() for _ in range(5)]
        seed_everything(seed); q=models.mlp(); fit(q,train,epochs=30,lr=1e-2,schedule='one_cycle',batch_size=64,seed=seed,progress=False)
        print(seed,p,round(ev,3),[round(x,3) for x in tr],'plain',round(evaluate(q,test).accuracy,3),round(time.process_time()-t,1),flush=True)
