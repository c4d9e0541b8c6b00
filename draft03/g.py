import time, torch, math
from torch import nn
import torch.nn.functional as F
from companion import regularization as R, models, codelength
from companion.data import load, draw_mnist1d
from companion.device import seed_everything
from companion.training import fit, evaluate, predict
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
t=time.process_time(); fresh=draw_mnist1d(20000,seed=5); print('draw',time.process_time()-t)
# two part logistic
def logistic(lam, data, step):
    m=models.logistic(); nn.init.zeros_(m[0].weight); nn.init.zeros_(m[0].bias)
    opt=torch.optim.LBFGS(m.parameters(),max_iter=60,line_search_fn='strong_wolfe')
    def closure():
        opt.zero_grad(); l=F.cross_entropy(m(data.inputs),data.targets,reduction='sum')+R.l2_penalty([m[0].weight],lam); l.backward(); return l
    opt.step(closure)
    return m
for n in (4000,1000):
  d=train.subset(slice(0,n))
  for lam in (0.1,1,3,10,30,100,300,1000):
    t=time.process_time(); m=logistic(lam,d,None)
    w=torch.cat([p.detach().flatten() for p in m.parameters()]); best=None
    for step in (.05,.1,.2,.4,.8):
        with torch.no_grad():
            q=models.logistic()
            for a,b in zip(q.parameters(),m.parameters()): a.copy_((b/step).round()*step)
        std=w.std().item(); mb=R.gaussian_bits(w,step=step,std=std); db=codelength.data_bits(q(d.inputs),d.targets)
        if best is None or mb+db<best[0]: best=(round(mb+db),round(mb),round(db),step,round(std,2))
    print(n,lam,best,'test',round(evaluate(m,test).accuracy,3),round(evaluate(m,test).loss/math.log(2),3),round(time.process_time()-t,1),flush=True)
