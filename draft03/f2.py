import time, torch, math
from companion import regularization as R
from companion.data import load, draw_mnist1d
from f0 import feats, onehot
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
N=200; L=[10**k for k in (-5,-4,-3,-2.5,-2,-1.5,-1,-.5,0,.5,1)]
def evid(x,y,lam):
    n=len(x); K=x@x.T/lam+torch.eye(n,dtype=x.dtype)  # cov/sigma2
    Lc=torch.linalg.cholesky(K); z=torch.linalg.solve_triangular(Lc,y,upper=False)
    k=y.shape[1]; s2=z.square().sum()/(n*k)
    nats=n*k/2*torch.log(2*math.pi*math.e*s2)+k*torch.log(torch.diagonal(Lc)).sum()
    return nats.item()/math.log(2)
for width in (50,200,800):
  for s in range(3):
    t0=time.process_time()
    f=feats(width,s); idx=torch.randperm(4000,generator=torch.Generator().manual_seed(s))[:N]
    x,y=f(train.inputs[idx]),onehot(train.targets[idx]); xt,yt=f(test.inputs),onehot(test.targets)
    g=torch.Generator().manual_seed(s)
    folds=R.k_fold(N,5,g)
    def cv(lam):
        return [ (x[h]@R.ridge(x[t],y[t],lam)-y[h]).square().sum(1).mean() for t,h in folds]
    te={l:((xt@R.ridge(x,y,l)-yt).square().sum(1).mean().item(), ((xt@R.ridge(x,y,l)).argmax(1)!=test.targets).double().mean().item()) for l in [0,*L]}
    a=R.choose_coefficient(L,cv).coefficient; b=R.choose_coefficient(L,cv,rule='one_standard_error').coefficient
    c=R.choose_coefficient(L,lambda l: evid(x,y,l),rule='description_length').coefficient
    best=min(te,key=lambda l: te[l][0])
    print(width,s,'none',[round(v,2) for v in te[0]],'best',round(best,4),[round(v,2) for v in te[best]],'cv',round(a,4),[round(v,2) for v in te[a]],'1se',round(b,4),[round(v,2) for v in te[b]],'dl',round(c,4),[round(v,2) for v in te[c]],round(time.process_time()-t0,1),flush=True)
