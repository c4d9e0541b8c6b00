import torch, time, math, sys
import torch.nn.functional as F
from companion import models
from companion.data import load
from companion.training import fit, evaluate, predict
from companion.device import seed_everything
from companion.regularization import decay_groups, gaussian_bits
from companion.codelength import data_bits
torch.set_num_threads(1)
whole=load("mnist1d")
order=torch.randperm(4000,generator=torch.Generator().manual_seed(0))
pool,held=whole.subset(order[:3000]),whole.subset(order[3000:])
def run(n,lam,opt,every,seed,C=8,steps=600,bn=True,lr=1e-2):
    train=pool.subset(slice(0,n))
    seed_everything(seed)
    m=models.cnn1d(C,batch_norm=bn)
    cls=torch.optim.AdamW if opt=="adamw" else torch.optim.Adam
    def make(p):
        return cls(m.parameters(),lr=lr,weight_decay=lam) if every else cls(decay_groups(m,lam),lr=lr)
    spe=math.ceil(n/64)
    fit(m,train,epochs=math.ceil(steps/spe),max_steps=steps,schedule="one_cycle",batch_size=64,optimizer=make,seed=seed,progress=False)
    return m,train
def code(m,train):
    """two-part; per-tensor rms, step = rms*2^-k (shared k), other = all"""
    best=None
    state={k:v.clone() for k,v in m.state_dict().items()}; params={k:v.detach().clone() for k,v in m.named_parameters()}
    for k in range(-2,8):
        bits=0;st=dict(state)
        for name,p in params.items():
            rms=p.detach().pow(2).mean().sqrt().item()+1e-30
            step=rms*2.0**-k
            st[name]=(p.detach()/step).round()*step
            bits+=gaussian_bits(p,step=step,std=rms)+16
        m.load_state_dict(st)
        db=data_bits(predict(m,train.inputs),train.targets)
        if best is None or bits+db<best[0]: best=(bits+db,bits,db,k)
    m.load_state_dict(state)
    return best
def code_global(m,train):
    best=None
    state={k:v.clone() for k,v in m.state_dict().items()}; params={k:v.detach().clone() for k,v in m.named_parameters()}
    allp=torch.cat([p.detach().flatten() for p in m.parameters()])
    rms=allp.pow(2).mean().sqrt().item()+1e-30
    for k in range(-2,9):
        step=rms*2.0**-k; st=dict(state)
        for name,p in params.items(): st[name]=(p.detach()/step).round()*step
        m.load_state_dict(st)
        db=data_bits(predict(m,train.inputs),train.targets)
        bits=gaussian_bits(allp,step=step,std=rms)+32
        if best is None or bits+db<best[0]: best=(bits+db,bits,db,k)
    m.load_state_dict(state)
    return best
if __name__=="__main__":
    for C in (8,):
        for n in (200,3000):
            for opt,every,lam in (("adamw",False,0.),("adamw",False,.1),("adamw",False,1.),("adamw",False,10.),("adamw",True,10.),("adam",False,1e-3),("adam",False,.1)):
                t=time.process_time(); m,tr=run(n,lam,opt,every,0,C); t=time.process_time()-t
                a=evaluate(m,tr);b=evaluate(m,held)
                print(C,n,opt,every,lam,"t%.2f"%t,"acc %.3f %.3f bits/label %.2f %.2f"%(a.accuracy,b.accuracy,a.loss/math.log(2),b.loss/math.log(2)),["%.0f"%v for v in code(m,tr)],["%.0f"%v for v in code_global(m,tr)],sum(p.numel() for p in m.parameters()),flush=True)
