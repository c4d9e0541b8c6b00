"""text -> notebook: python build.py [run [from_cell]]"""
import sys, re, time, json, io, contextlib, os
import nbformat
SRC='/tmp/e/nb/ch03.txt'; OUT='/work/ch03/course/03_regularization.ipynb'
def cells():
    text=open(SRC).read(); out=[]
    for chunk in re.split(r'^%%', text, flags=re.M)[1:]:
        head,_,body=chunk.partition('\n'); kind,*tags=head.split()
        out.append((kind,tags,body.strip('\n')))
    return out
def build():
    from tools import notebooks
    nb=nbformat.v4.new_notebook(); nb.metadata={'kernelspec':notebooks.KERNELSPEC}
    old={}
    if os.path.exists(OUT):
        for c in nbformat.read(OUT,4).cells: old.setdefault(c.source,c)
    for kind,tags,body in cells():
        c=(nbformat.v4.new_markdown_cell if kind=='md' else nbformat.v4.new_code_cell)(body)
        if tags: c.metadata['tags']=tags
        if kind=='code' and body in old: c.outputs=old[body].outputs
        nb.cells.append(c)
    notebooks.write(notebooks.normalize(nb),OUT)
def run(stop=None):
    os.environ|={'COMPANION_PREDICTIONS':'off','COMPANION_PROGRESS':'off'}
    import torch, matplotlib; matplotlib.use('Agg'); torch.set_num_threads(1)
    import IPython.display
    IPython.display.display=lambda b,**k: print('   FIG:',b.get('text/plain','') if isinstance(b,dict) else b)
    ns={'__name__':'__main__'}; total=0
    wanted=sys.argv[2:] 
    for i,(kind,tags,body) in enumerate(cells()):
        if kind!='code': continue
        if wanted and i<int(wanted[0]) and any(w in body for w in ('trained(','fit(')) and 'def ' not in body: continue
        t=time.process_time()
        try: exec(compile(body,f'<cell {i}>','exec'),ns)
        except Exception as e:
            import traceback; print(f'!!! cell {i}',body[:80]); print(traceback.format_exc().split('\n',3)[-1][-600:])
        dt=time.process_time()-t; total+=dt
        print(f'   [{i}] {dt:.1f}s  total {total:.0f}',flush=True)
if __name__=='__main__':
    if sys.argv[1:2]==['run']: run()
    else: build()
