import time, torch, sys
from torch import nn
from companion import models, regularization as R
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
def cnn(p=0.,spatial=False,bn=False):
    layers=list(models.cnn1d(batch_norm=bn))
    if p: layers.insert(len(layers)-1,nn.Dropout(p))
    return nn.Sequential(*layers)
class SD(nn.Module):
    def __init__(s,p): super().__init__(); s.p=p
    def forward(s,x): return R.spatial_dropout(x,s.p,training=s.training)
def cnn_sd(p, mod=SD):
    layers=[]
    for l in models.cnn1d():
        layers.append(l)
        if isinstance(l,nn.ReLU): layers.append(mod(p))
    return nn.Sequential(*layers)
noise=lambda s: lambda x,g: x+s*torch.randn(x.shape,generator=g)
shift=lambda m: lambda x,g: R.random_shifts(x,m,g)
V={
'nothing':{},
'wd .1':dict(weight_decay=.1),'wd 1':dict(weight_decay=1.),
'l2 1e-3':dict(loss=lambda m,x,y: nn.functional.cross_entropy(m(x),y)+R.l2_penalty(m.parameters(),1e-3)),
'l2 1e-2':dict(loss=lambda m,x,y: nn.functional.cross_entropy(m(x),y)+R.l2_penalty(m.parameters(),1e-2)),
'drop head .5':dict(make=lambda: cnn(.5)),
'drop all .2':dict(make=lambda: cnn_sd(.2,nn.Dropout)),
'drop all .5':dict(make=lambda: cnn_sd(.5,nn.Dropout)),
'spatial .2':dict(make=lambda: cnn_sd(.2)),
'noise .2':dict(augment=noise(.2)),
'noise .5':dict(augment=noise(.5)),
'smooth .1':dict(loss=lambda m,x,y: R.label_smoothing(m(x),y,.1)),
'batch 8':dict(batch_size=8),
'shift 5':dict(augment=shift(5)),
'shift 8':dict(augment=shift(8)),
'shift5+drop':dict(augment=shift(5),make=lambda: cnn_sd(.2,nn.Dropout)),
}
base=None
steps=int(sys.argv[1]); seeds=int(sys.argv[2])
for name,kw in V.items():
    kw=dict(kw); make=kw.pop('make',models.cnn1d); bs=kw.pop('batch_size',50)
    acc=[];t=time.process_time(); bits=[]
    for seed in range(seeds):
        part=train.subset(torch.randperm(4000,generator=torch.Generator().manual_seed(seed))[:200])
        seed_everything(seed); m=make()
        fit(m,part,epochs=steps*50//200,lr=1e-2 if bs==50 else 4e-3,schedule='one_cycle',batch_size=bs,seed=seed,progress=False,**kw)
        e=evaluate(m,test); acc.append(e.accuracy); bits.append(e.loss/0.6931)
    acc=torch.tensor(acc)
    if base is None: base=acc
    d=acc-base
    print(f'{name:14} acc {acc.mean():.3f} d {100*d.mean():5.1f} +- {100*d.std()/seeds**.5:4.1f}  bits/label {torch.tensor(bits).mean():.2f}  {(time.process_time()-t)/seeds:.1f}s',flush=True)
