import sys; sys.path.insert(0,'/tmp/x')
from t1 import *
n=int(sys.argv[1]); C=int(sys.argv[2]); steps=int(sys.argv[3])
for opt,every,lam in [("adamw",False,l) for l in (0,.01,.1,.3,1,3,10,30)]+[("adamw",True,l) for l in (.1,1,3,10)]+[("adam",False,l) for l in (1e-3,.01,.1,1)]+[("adam",True,l) for l in (1e-4,1e-3,.01,.1)]:
    t=time.process_time(); m,tr=run(n,lam,opt,every,0,C,steps); t=time.process_time()-t
    a=evaluate(m,tr);b=evaluate(m,held)
    print(C,n,opt,every,lam,"t%.2f"%t,"acc %.3f %.3f bits/label %.2f %.2f"%(a.accuracy,b.accuracy,a.loss/math.log(2),b.loss/math.log(2)),["%.0f"%v for v in code(m,tr)],["%.0f"%v for v in code_global(m,tr)],flush=True)
