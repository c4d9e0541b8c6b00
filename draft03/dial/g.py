from companion.explorables import dropout_committee as d
from statistics import mean
import torch; torch.set_num_threads(1)
def c(**k): return d.compute_dropout_committee(**{**d.OPENING,**k})
for net in ("dropout","plain"):
    for digit in (0,2,5,8,11):
        out=[]
        for where in ("last","both"):
            r=[c(network=net,where=where,average="logits",digit=digit,draw=k) for k in range(6)]
            out.append([round(x["gap"]/x["noise"],2) for x in r]+[round(mean(x["gap"] for x in r),3)])
        print(net,digit,out)
for k in range(4):
    for name,s in [(p["name"],p["state"]) for p in d.PRESETS]:
        x=c(**s,draw=k); print(k,name,x["accuracy"],x["agreement"],round(x["gap"]/x["noise"],2))
