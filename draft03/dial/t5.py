import sys,time; sys.path.insert(0,'/tmp/x')
from t1 import *
from tools.precompute_03_dial import *
for n in (1000,3000):
  for lam in (0,.01,.1,.3,1,3,10):
    sd,tb,vb,va=torch.load(f"/tmp/x/m_{n}_True_600_0_adamw_False_{lam}.pt")
    m=small_cnn();m.load_state_dict(sd);m.eval()
    t=time.process_time();c=shortest_code(m,pool.subset(slice(0,n)));t=time.process_time()-t
    print(n,lam,"%.3f"%va,"%.0f"%sum(c),["%.0f"%v for v in c],"t %.2f"%t,flush=True)
print(histograms([m]))
