import time, torch, os
torch.set_num_threads(1)
os.environ["COMPANION_COURSE"]="/work/ch03/course"
from companion.explorables import foundations, architecture
os.environ["COMPANION_COURSE"]="/tmp/x/store"
from companion.explorables import regularization
from companion.explorables.echo import echo
def t(f):
    a=time.process_time(); x=f(); return x,1000*(time.process_time()-a)
echo()._repr_mimebundle_()
for k in range(2):
  for name,mk in (("race",foundations.descent_race),("scope",foundations.chain_rule_scope),("micro",architecture.conv_microscope),("dial",regularization.lambda_dial),("committee",regularization.dropout_committee)):
    w,a=t(mk); _,b=t(w._repr_mimebundle_)
    print(name,"make %.0f  bundle %.0f"%(a,b))
import cProfile,pstats
w=regularization.dropout_committee()
p=cProfile.Profile(); p.enable(); w._repr_mimebundle_(); p.disable()
pstats.Stats(p).sort_stats("cumtime").print_stats(18)
