import torch, math, time
from companion.data import load, draw_mnist1d
from companion.regularization import ridge
import torch.nn.functional as F
train,test=load('mnist1d'),load('mnist1d',split='test')
def rf(width,seed,off=1.):
    g=torch.Generator().manual_seed(seed); k=dict(generator=g,dtype=torch.float64)
    d,o=torch.randn(40,width,**k),torch.randn(width,**k)
    return lambda x: torch.relu(x.double()@d/40**.5+off*o)/math.sqrt(width)
oh=lambda d: F.one_hot(d.targets,10).double()-.1
few=train.subset(slice(0,200)); val=train.subset(slice(200,700)); y=oh(few)
# random search: lambda in 1e-4..1e3, offset scale .5..2
t=time.process_time()
def err(lam,off,seed=0):
    h=rf(200,seed,off); w=ridge(h(few.inputs),y,lam); return (h(val.inputs)@w-oh(val)).square().sum(1).mean().item()
for lo,hi in ((-4,3),(-6,4)):
  lams=[10**(lo+(hi-lo)*(i+.5)/4) for i in range(4)]; offs=[10**(-.5+1*(i+.5)/4) for i in range(4)]
  grid=min(err(l,o) for l in lams for o in offs)
  rnd=[]
  for r in range(20):
    g=torch.Generator().manual_seed(r); u=torch.rand(16,2,generator=g)
    rnd.append(min(err(10**(lo+(hi-lo)*a),10**(-.5+b)) for a,b in u.tolist()))
  print(lo,hi,'grid',round(grid,4),[round(err(l,1.),3) for l in lams],'random',round(sum(rnd)/20,4),sum(r<grid for r in rnd),time.process_time()-t)
# optimism
t=time.process_time(); fresh=draw_mnist1d(10000,seed=7); print('draw',time.process_time()-t)
for o in range(3):
  t=time.process_time()
  thousand=train.subset(torch.randperm(4000,generator=torch.Generator().manual_seed(o))[:500])
  g=torch.Generator().manual_seed(o); right=[]
  for i in range(100):
    h=rf(200,1000*o+i); lam=10**(-2+3*torch.rand(1,generator=g).item())
    w=ridge(h(thousand.inputs),oh(thousand),lam); right.append((h(fresh.inputs)@w).argmax(1)==fresh.targets)
  R=torch.stack(right).double(); tr=R.mean(1); print('true',tr.mean(),tr.std(),tr.max())
  h=rf(200,0); rl=[]
  for k in range(12):
    lam=10**(-3+k/3); w=ridge(h(thousand.inputs),oh(thousand),lam); rl.append((h(fresh.inputs)@w).argmax(1)==fresh.targets)
  RL=torch.stack(rl).double(); print('lam',[round(v,3) for v in RL.mean(1).tolist()])
  for T in (100,):
    for name,M in (('100',R),('30',R[:30]),('10',R[:10]),('3',R[:3]),('lam12',RL)):
      S=M.reshape(len(M),-1,T).mean(2)  # cand, sets
      c=S.argmax(0); rep=S.gather(0,c[None])[0]; truth=(M.sum(1)[c]-S.gather(0,c[None])[0]*T)/(10000-T)
      d=100*(rep-truth); print(o,T,name,'optimism',round(d.mean().item(),2),'+-',round(2*d.std().item()/len(d)**.5,2),'true of chosen',round(truth.mean().item(),3))
  print(time.process_time()-t)
