import time, torch
torch.set_num_threads(1)
from companion.explorables import dropout_committee as d
d._first_layer("dropout")
def v2(network,hidden,first,second):
    _,_,w2,b2,w3,b3=d._weights(network)
    n=len(hidden)
    a=(w2*first[:,None]).transpose(1,2)
    h=torch.baddbmm(b2,hidden.expand(len(first),-1,-1),a).relu_()
    return torch.baddbmm(b3,h,(w3*second[:,None]).transpose(1,2))
def v3(network,hidden,first,second):
    _,_,w2,b2,w3,b3=d._weights(network)
    w2f=(w2*first[:,None]).reshape(-1,100)
    h=torch.addmm(b2.repeat(len(first)),hidden,w2f.T).relu_().view(len(hidden),len(first),100)
    return torch.stack([torch.addmm(b3,h[:,m],(w3*second[m]).T) for m in range(len(first))])
def v4(network,hidden,first,second):
    _,_,w2,b2,w3,b3=d._weights(network)
    out=[]
    for f,s in zip(first,second):
        h=torch.addmm(b2,hidden,(w2*f).T).relu_()
        out.append(torch.addmm(b3,h,(w3*s).T))
    return torch.stack(out)
f=d._factors(d.regularization.dropout,"both",.5,50,0)
hid=d._first_layer("dropout")
ref=d._thinned("dropout",hid,*f)
for name,fn in (("now",d._thinned),("bmm",v2),("mm",v3),("loop",v4)):
    ts=[]
    for _ in range(12):
        t=time.process_time(); x=fn("dropout",hid,*f); ts.append(time.process_time()-t)
    ts.sort(); print(name,"%.1f min %.1f median ms"%(1000*ts[0],1000*ts[6]),(x-ref).abs().max().item())
def tm(label,fn,n=8):
    ts=[]
    for _ in range(n):
        t=time.process_time(); fn(); ts.append(time.process_time()-t)
    print(label,"%.1f %.1f"%(1000*min(ts),1000*sorted(ts)[n//2]))
m,s=d._answers(d.regularization.dropout,"dropout","both",.5,0)
tm("softmax",lambda:m.softmax(-1)); tm("running",lambda:d._running_mean(m)); tm("argmax",lambda:m.argmax(-1))
tm("repeats",lambda:d._repeats(d.regularization.dropout,"dropout","both",.5,0,3))
tm("factors",lambda:d._factors(d.regularization.dropout,"both",.5,2000,0))
tm("all warm",lambda:d.compute_dropout_committee(**d.OPENING))
def cold():
    d._answers.cache_clear(); d.compute_dropout_committee(**d.OPENING)
tm("all cold",cold)
tm("loads", lambda: d.split_mnist(),3)
