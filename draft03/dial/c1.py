import time, torch
torch.set_num_threads(1)
from companion.explorables import dropout_committee as d
t=time.perf_counter(); w=d.dropout_committee(); print("make",time.perf_counter()-t)
for pr in d.PRESETS:
    st={**d.OPENING,**pr["state"]}
    d._answers.cache_clear()
    t=time.process_time(); x=d.compute_dropout_committee(**st); t1=time.process_time()-t
    t=time.process_time(); x=d.compute_dropout_committee(**st); t2=time.process_time()-t
    print(pr["name"],"%.0f ms cold, %.0f ms warm"%(1000*t1,1000*t2)); print("  ",x["text"]); print("  ",x["curve"]["y"][:5],x["curve"]["y"][-1],x["curve"]["alone"],x["variance"])
for k in range(12):
    x=d.compute_dropout_committee(**{**d.OPENING,"digit":k}); print(k,x["text"][-150:], x["digit"]["label"])
import json; print(len(json.dumps(x)))
x=d.compute_dropout_committee(**d.OPENING,dropout=d.regularization.dropout); print(x["verdict"])
