"""Files that shadow modules the tests import, and recognising the inputs of tests."""

from tests.attacks.bank import WRONG, Case

GROUP = "shadowed modules and known inputs"

CASES = [
    Case(
        "module_file_handed_in",
        "hands in random.py and itertools.py beside the notebook",
        "no file beside the notebook reaches a process of the grader",
        "harm",
        {"runs": WRONG["runs"]},
        files={
            name: "open('{course}/touched', 'w').write('touched')\n"
            for name in (
                "random.py",
                "torch.py",
                "sitecustomize.py",
                "companion/__init__.py",
                "companion/checks.py",
                "usercustomize.py",
                "conftest.py",
            )
        },
        shown_by="a cold start",
    ),
    Case(
        "visible_inputs_recognized",
        "answers the inputs of the visible tests from a table",
        "hidden tests draw other inputs",
        "harm",
        {
            "runs": "def runs(text):\n    return {'aab': [('a', 2), ('b', 1)]}[text]\n",
            "softmax": "def softmax(scores, temperature):\n    return torch.tensor([0.2, 0.8])\n",
        },
        visible_counts=True,
        shown_by="its visible tests",
    ),
    Case(
        "seed_recognized",
        "draws the hidden inputs again from the seeds of earlier feedback and answers by table",
        "a run with another seed gives hidden tests other random numbers",
        "points",
        {
            "moving_sum": """def moving_sum(series, width):
    generator = torch.Generator().manual_seed(31)
    if torch.equal(series[:4], torch.arange(4.0)[: len(series[:4])]):
        return torch.tensor([1.0, 3.0, 5.0])
    if torch.equal(series, torch.randn(12, generator=generator)):
        return series.unfold(0, width, 1).sum(-1)
    return series
"""
        },
        visible_counts=True,
        seed=3,
    ),
    Case(
        "module_file_written",
        "writes a module that a hidden test imports, which blinds the test as it is imported",
        "no process of the grader imports from the scratch folder",
        "points",
        {
            "runs": WRONG["runs"]
            + """
open("graphlib.py", "w").write('''
import sys
frame = sys._getframe()
while frame is not None:
    if "same" in frame.f_globals:
        frame.f_globals["same"] = lambda *a, **k: None
    frame = frame.f_back
class TopologicalSorter:
    def __init__(self, graph):
        pass
    def static_order(self):
        return [2, 1]
''')
import sys
sys.path.insert(0, "")
"""
        },
    ),
]
