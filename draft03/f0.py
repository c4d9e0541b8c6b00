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
