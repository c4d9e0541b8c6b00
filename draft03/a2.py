import time, torch
from companion import models
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
for name,kw in {'const1e-2 b64 6ep':dict(lr=1e-2,batch_size=64,epochs=6),'onecycle1e-2 b64 10ep':dict(lr=1e-2,batch_size=64,epochs=10,schedule='one_cycle'),'const 1e-2 b64 10ep bn':dict(lr=1e-2,batch_size=64,epochs=10)}.items():
    for seed in range(3):
        out=[]
        for opt in ('adamw','adam'):
            t=time.process_time(); seed_everything(seed); m=models.cnn1d(batch_norm='bn' in name)
            h=fit(m,train,optimizer=opt,weight_decay=.1,seed=seed,progress=False,**kw)
            out.append((opt,round(evaluate(m,test).accuracy,3),round(h.loss[-1],3),round(time.process_time()-t,1)))
        print(name,seed,out,flush=True)
