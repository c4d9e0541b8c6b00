from c import *
run('40ch 600/40',lambda:cnn(40),fitter(warp(6),min_steps=600,epochs=40))
run('drop.3 600/40',lambda:cnn(25,.3),fitter(warp(6),min_steps=600,epochs=40))
run('noise.1 600/40',lambda:cnn(25),fitter(warp(6,.1,.1),min_steps=600,epochs=40))
run('shift10 600/40',lambda:cnn(25),fitter(warp(10),min_steps=600,epochs=40))
run('1200/40',lambda:cnn(25),fitter(warp(6),min_steps=1200,epochs=40))
run('wd.5 600/40',lambda:cnn(25),fitter(warp(6),min_steps=600,epochs=40,wd=.5))
