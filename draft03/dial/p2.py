import time, torch
torch.set_num_threads(1)
from companion.explorables import dropout_committee as d
def tm(label,fn,n=9):
    ts=[]
    for k in range(n):
        t=time.process_time(); fn(k); ts.append(time.process_time()-t)
    print(label,"min %.1f med %.1f"%(1000*min(ts),1000*sorted(ts)[n//2]))
c=lambda **k: d.compute_dropout_committee(**{**d.OPENING,**k})
c()
tm("n",lambda k:c(n_masks=k+1)); tm("digit",lambda k:c(digit=k)); tm("p",lambda k:c(p=.1+.05*k)); tm("average",lambda k:c(average="logits" if k%2 else "probabilities"))
