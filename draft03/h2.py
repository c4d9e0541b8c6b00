from h0 import *
for wd in (.1,1,3):
    for seed in range(2):
        out=[]
        for groups in (False,True):
            seed_everything(seed); m=models.cnn1d(batch_norm=True)
            n=10*63
            opt=lambda params: torch.optim.AdamW(R.decay_groups(m,wd) if groups else params,lr=1e-2,weight_decay=wd)
            t=time.process_time(); fit(m,train,epochs=8,schedule='one_cycle',batch_size=64,seed=seed,progress=False,optimizer=opt)
            e=evaluate(m,test); out.append((round(e.accuracy,3),round(e.loss/math.log(2),2), round(float(m[2].weight.abs().mean()),2)))
        print(wd,seed,out,round(time.process_time()-t,1),flush=True)
