import time, torch, math
from companion import regularization as R
from companion.data import load, draw_mnist1d
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
t0=time.process_time()
def feats(width,seed):
    g=torch.Generator().manual_seed(seed)
    W=torch.randn(40,width,generator=g,dtype=torch.float64)/40**.5; b=torch.randn(width,generator=g,dtype=torch.float64)
    return lambda x: torch.relu(x.double()@W+b)/math.sqrt(width)
def onehot(y): return torch.nn.functional.one_hot(y,10).double()-.1
N=400
for width in (10,50,100,200,300,350,400,450,500,700,1000,2000,4000):
    row=[]
    for lam in (0,1e-6,1e-4,1e-3,1e-2,1e-1,1):
        errs=[];mse=[]
        for s in range(2):
            f=feats(width,s); idx=torch.randperm(4000,generator=torch.Generator().manual_seed(s))[:N]
            x,y=f(train.inputs[idx]),onehot(train.targets[idx])
            w=R.ridge(x,y,lam); out=f(test.inputs)@w
            errs.append(1-(out.argmax(1)==test.targets).double().mean().item()); mse.append((out-onehot(test.targets)).square().sum(1).mean().item())
        row.append(f'{sum(errs)/2:.2f}/{sum(mse)/2:.2f}')
    print(width,row,flush=True)
print(time.process_time()-t0)
