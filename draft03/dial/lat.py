import sys,tempfile,json; sys.path.insert(0,"/work/ch03/tests/browser")
from pathlib import Path
import driver
from driver import *
store=sys.argv[1]; which=sys.argv[2].split(",")
cells=[("import os\nos.environ['COMPANION_COURSE']=%r\n"%store if store!="-" else "")+"from companion.explorables import regularization as explore\nfrom companion.explorables.echo import echo","echo()"]+which
with tempfile.TemporaryDirectory() as f:
    nb,se=Path(f,"n"),Path(f,"s"); nb.mkdir(); se.mkdir()
    write_notebook(nb/"b.ipynb",cells)
    with jupyter_lab(nb,se) as a, chromium() as br:
        r=Reader(br,a,"b.ipynb"); r.hide_side_bar()
        for i in range(2): r.run_cell(i)
        print("echo",echo_p95(r,1))
        for i in range(2,len(cells)):
            r.run_cell(i); e=r.explorable(i)
            print(e.name,"first paint",e.root.evaluate("root => Number(root.dataset.paintedAt) - window.started"))
            print(e.move_everything()); L=sorted(e.latencies); print("p50 %.0f p95 %.0f max %.0f n %d"%(L[len(L)//2],p95(L),L[-1],len(L)))
        e=r.explorable(1); n0=len(e.latencies); e.root.locator("input[type=range]").focus()
        for key in ("ArrowRight","ArrowLeft")*20: e.must_answer("x",lambda key=key: r.page.keyboard.press(key))
        print("echo again",p95(e.latencies[n0:]))
        print(r.errors,r.strangers)
