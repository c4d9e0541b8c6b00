import time, torch, math
from torch import nn
import torch.nn.functional as F
from companion import regularization as R, models, codelength
from companion.data import load
from companion.device import seed_everything
from companion.training import fit, evaluate, predict
train,test=load('mnist1d'),load('mnist1d',split='test')
torch.set_num_threads(1)
def mlp_drop(p=.5,layer=nn.Dropout,h=100):
    return nn.Sequential(nn.Linear(40,h),nn.ReLU(),layer(p),nn.Linear(h,h),nn.ReLU(),layer(p),nn.Linear(h,10))
class NoScale(nn.Module):
    def __init__(s,p): super().__init__(); s.p=p
    def forward(s,x): return R.dropout(x,s.p,training=s.training)*(1-s.p if s.training else 1)
kw=dict(epochs=20,lr=1e-2,schedule='one_cycle',batch_size=64,progress=False)
acc=lambda lo: (lo.argmax(-1)==test.targets).float().mean().item()
bits=lambda logp: -logp.gather(1,test.targets[:,None]).mean().item()/math.log(2)
for seed in range(3):
    t=time.process_time()
    seed_everything(seed); m=mlp_drop(.3,h=200); fit(m,train,seed=seed,**kw)
    e=evaluate(m,test); m.train(); seed_everything(seed)
    with torch.no_grad(): masks=torch.stack([m(test.inputs).softmax(1) for _ in range(100)])
    m.eval()
    with torch.no_grad(): ev=m(test.inputs)
    row=[(k,round(acc(masks[:k].mean(0)),3),round(bits(masks[:k].mean(0).log()),2)) for k in (1,2,5,10,20,50,100)]
    single=[acc(x) for x in masks[:20]]
    geo=masks.clamp(1e-12).log().mean(0).log_softmax(1)
    print(seed,'eval',round(e.accuracy,3),round(e.loss/math.log(2),2),row,'geo',round(acc(geo),3),round(bits(geo),2),'lin',round((ev.softmax(1)-masks.mean(0)).abs().max().item(),2), round(time.process_time()-t,1))
    for name,mk in {'noscale .5':lambda: mlp_drop(.5,NoScale),'right .5':lambda: mlp_drop(.5),'swapped .8 for .2':lambda: mlp_drop(.8),'.2':lambda: mlp_drop(.2)}.items():
        seed_everything(seed); m=mk(); fit(m,train,seed=seed,**kw); e=evaluate(m,test); print('   ',name,round(e.accuracy,3),round(e.loss/math.log(2),2),flush=True)
