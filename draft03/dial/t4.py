import sys; sys.path.insert(0,'/tmp/x')
from t1 import *
from torch.func import functional_call
import glob
def logits(m,st,x):
    with torch.no_grad(): return functional_call(m,st,(x,))
def rnd(p,step): return (p/step).round()*step
def rms(p): return p.pow(2).mean().sqrt().item()+1e-30
def shared(m,P,tr,rel):
    best=None
    r={k:(rms(v) if rel else rms(torch.cat([q.flatten() for q in P.values()]))) for k,v in P.items()}
    for h in range(-4,13):
        f=2**(-h/2)
        st={k:rnd(v,r[k]*f) for k,v in P.items()}
        db=data_bits(logits(m,st,tr.inputs),tr.targets)
        mb=sum(gaussian_bits(v,step=r[k]*f,std=r[k]) for k,v in P.items())+16*(len(P) if rel else 1)+5
        if best is None or db+mb<best[0]: best=(db+mb,mb,db,h/2)
    return best
def greedy(m,P,tr,glob=False):
    r={k:(rms(v) if not glob else rms(torch.cat([q.flatten() for q in P.values()]))) for k,v in P.items()}
    h={k:3 for k in P}
    q={k:rnd(v,r[k]*2.**-h[k]) for k,v in P.items()}
    b={k:gaussian_bits(v,step=r[k]*2.**-h[k],std=r[k])+20 for k,v in P.items()}
    def dat(st): return data_bits(logits(m,st,tr.inputs),tr.targets)
    cur=dat(q)
    for it in range(3):
        ch=False
        for k in P:
            for d in (-1,1):
                nh=h[k]+d
                nq=rnd(P[k],r[k]*2.**-nh); nb=gaussian_bits(P[k],step=r[k]*2.**-nh,std=r[k])+20
                nd=dat({**q,k:nq})
                if nd+nb<cur+b[k]-1e-6: q[k]=nq;b[k]=nb;h[k]=nh;cur=nd;ch=True
        if not ch: break
    return cur+sum(b.values()),sum(b.values()),cur,tuple(h.values())
def variational(m,P,tr,rel=True):
    best=None
    r={k:(rms(v) if rel else rms(torch.cat([q.flatten() for q in P.values()]))) for k,v in P.items()}
    for h in range(-2,13):
        f=2**(-h/2)
        g=torch.Generator().manual_seed(0); db=0
        for _ in range(4):
            st={k:v+r[k]*f*torch.randn(v.shape,generator=g) for k,v in P.items()}
            db+=data_bits(logits(m,st,tr.inputs),tr.targets)/4
        mb=sum(v.numel() for v in P.values())*(-math.log2(f)+0.5*f*f/math.log(2))+16*len(P)
        if best is None or db+mb<best[0]: best=(db+mb,mb,db,h/2)
    return best
if __name__=="__main__":
    for n in (1000,3000):
      for bn in (True,False):
        for tag in ["adamw_False_%s"%l for l in (0,.01,.1,.3,1,3,10)]+["adam_True_0.1"]:
            sd,tb,vb,va=torch.load(f"/tmp/x/m_{n}_{bn}_600_0_{tag}.pt")
            m=models.cnn1d(8,batch_norm=bn);m.load_state_dict(sd);m.eval()
            P={k:v.detach() for k,v in m.named_parameters()}
            tr=pool.subset(slice(0,n))
            f=lambda t:"%.0f=%.0f+%.0f@%s"%(t[0],t[1],t[2],t[3])
            print(n,bn,tag,"train %.0f va %.3f"%(tb,va),"| rel",f(shared(m,P,tr,True)),"| glob",f(shared(m,P,tr,False)),"| greedy",f(greedy(m,P,tr)),"| var",f(variational(m,P,tr)),"| varg",f(variational(m,P,tr,False)),flush=True)
