"""Puts the pieces together exactly as dial() does, and stores them as tools.precompute does."""
import json,os,sys
from statistics import fmean
from tools import precompute, precompute_03_dial as d
def convert(r):
    h=r["histogram"]
    for k in ("weights","others"):
        n=sum(h[k]); h[k]=[round(c/n,3) for c in h[k]]
    m=r.pop("model_bits"); b=r.pop("data_bits")
    return {**{k:r[k] for k in ("train_accuracy","accuracy","train_bits","bits")},"total_bits":[x+y for x,y in zip(m,b)],"model_bits":round(fmean(m)),"histogram":h}
secs=0; seen={}
def measured(opt,dec,lam,n):
    global secs
    p=f"/tmp/x/cache/{opt}_{dec}_{lam}_{n}.json"
    if not os.path.exists(p):
        if "--fake" in sys.argv: p=f"/tmp/x/cache/{opt}_{dec}_{lam}_1000.json"
        if not os.path.exists(p): p="/tmp/x/cache/adamw_weights_1.0_1000.json"
        assert "--fake" in sys.argv
    r,t=json.load(open(p)); secs+=t
    return convert(r)
d.measured=measured
res=d.dial()
if "--fake" in sys.argv:
    import hashlib
    out="/tmp/x/store"; t=json.dumps(res,indent=1)+"\n"; print(len(t))
    open(f"{out}/precomputed/03/dial.json","w").write(t)
    c=open("course/precomputed/03/committee.json").read(); open(f"{out}/precomputed/03/committee.json","w").write(c)
    json.dump({"dial":{"sha256":hashlib.sha256(t.encode()).hexdigest()},"committee":{"sha256":hashlib.sha256(c.encode()).hexdigest()}},open(f"{out}/precomputed/03/manifest.json","w"))
else:
    precompute.store("03/dial",res,secs); print(secs)
