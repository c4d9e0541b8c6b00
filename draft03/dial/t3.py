import sys; sys.path.insert(0,'/tmp/x')
from t1 import *
n=int(sys.argv[1]); bn=sys.argv[2]=="bn"; steps=int(sys.argv[3]); seeds=[int(s) for s in sys.argv[4].split(",")]
for seed in seeds:
  for opt,every,lam in [("adamw",False,l) for l in (0,.01,.1,.3,1,3,10)]+[("adam",True,.1)]:
    m,tr=run(n,lam,opt,every,seed,8,steps,bn)
    a=evaluate(m,tr);b=evaluate(m,held)
    print(n,bn,opt,every,lam,"acc %.3f %.3f bits/label %.2f %.2f"%(a.accuracy,b.accuracy,a.loss/math.log(2),b.loss/math.log(2)),flush=True)
    torch.save((m.state_dict(),a.loss/math.log(2)*n,b.loss/math.log(2),b.accuracy),f"/tmp/x/m_{n}_{bn}_{steps}_{seed}_{opt}_{every}_{lam}.pt")
