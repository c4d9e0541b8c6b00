"""Runs tools.precompute_03_dial piece by piece, so that it can be interrupted."""
import json, os, sys, time, torch
torch.set_num_threads(1)
from tools import precompute_03_dial as d
for n in (1000,200,3000):
  for dec in d.DECAYED:
    for opt in d.OPTIMIZERS:
        for lam in d.WEIGHT_DECAYS:
            if lam==0 and (opt,dec)!=("adamw","weights"): continue
            p=f"/tmp/x/cache/{opt}_{dec}_{lam}_{n}.json"
            if os.path.exists(p): continue
            t=time.process_time(); r=d.measured(opt,dec,lam,n); t=time.process_time()-t
            json.dump([r,t],open(p+".tmp","w")); os.replace(p+".tmp",p)
            print(opt,dec,lam,n,r["train_accuracy"],r["accuracy"],[a+b for a,b in zip(r["model_bits"],r["data_bits"])],"%.1f"%t,flush=True)
