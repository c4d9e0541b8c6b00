import torch
from companion.data import load
from companion.regularization import ridge
train=load('mnist1d'); 
for o in range(3):
  sl=torch.randperm(4000,generator=torch.Generator().manual_seed(o)); sl=torch.arange(4000) if o==0 else sl
  part=train.subset(sl[:400]); rest=train.subset(sl[400:])
  X=(part.inputs-part.inputs.mean(0)).double(); t=(part.targets==0).double(); m=t.mean(); t=t-m
  RX=(rest.inputs-part.inputs.mean(0)).double(); ry=(rest.targets==0).double()-m
  def lasso(X,y,c,n=4000):
    w,N=torch.zeros(40).double(),len(y); lr=N/torch.linalg.matrix_norm(X,2)**2
    for _ in range(n):
        w=w-lr*X.T@(X@w-y)/N; w=w.sign()*(w.abs()-lr*c).clamp(min=0)
    return w
  for c in (.005,.01,.015,.02,.03): w=lasso(X,t,c); print(o,'l1',c,(w==0).sum().item(),round(((RX@w-ry)**2).mean().item(),4))
  for c in (10,100,300,1000): w=ridge(X,t,c); print(o,'l2',c,round(((RX@w-ry)**2).mean().item(),4))
  print(ry.square().mean())
