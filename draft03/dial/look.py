"""Pictures of the two widgets, light and dark, every preset."""
import sys,tempfile,json; sys.path.insert(0,"/work/ch03/tests/browser")
from pathlib import Path
import driver
from driver import *
store=sys.argv[1]; which=sys.argv[2].split(","); themes=sys.argv[3].split(",")
cells=[("import os\nos.environ['COMPANION_COURSE']=%r\n"%store if store!="-" else "")+"from companion.explorables import regularization as explore\nfrom companion.explorables.echo import echo"]+[w for w in which]
with tempfile.TemporaryDirectory() as f:
    nb,se=Path(f,"n"),Path(f,"s"); nb.mkdir(); se.mkdir()
    write_notebook(nb/"b.ipynb",cells)
    with jupyter_lab(nb,se) as a, chromium() as br:
        r=Reader(br,a,"b.ipynb"); r.hide_side_bar(); r.page.set_viewport_size({"width":950,"height":1000})
        r.run_cell(0)
        for th in themes:
            r.use_theme(th)
            for i in range(1,len(cells)):
                r.run_cell(i); e=r.explorable(i)
                print(e.name,"first paint",e.root.evaluate("root => Number(root.dataset.paintedAt) - window.started"),e.error)
                names=e.root.locator("button.ce-preset").all_inner_texts()
                for k,n in enumerate(names):
                    b=e.root.locator(f"button.ce-preset[data-preset='{n}']"); e.must_answer(n,b.click)
                    r.picture(f"{e.name}-{th}-{i}-{k}",e.root); print(n,e.root.bounding_box()["height"])
                print("p95",p95(e.latencies) if len(e.latencies)>1 else e.latencies)
        print(r.errors,r.strangers)
