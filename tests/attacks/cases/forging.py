"""Forging what the score is read from: displayed values, exceptions, exit codes, result files."""

from tests.attacks.bank import WRONG, Case

GROUP = "forging the score"

CASES = [
    Case(
        "comparison_rebound",
        "names the test's own `close` and `same` anew, so that they accept everything",
        "test cells run in a namespace of the checker",
        "points",
        {name: WRONG[name] for name in ("moving_sum", "runs")},
        extra=(("moving_sum", "close = same = lambda *a, **k: None"),),
    ),
    Case(
        "comparison_hollowed",
        "exchanges the code of `checks.close` in place, where no name changes",
        "verdicts are made in another process",
        "points",
        {"moving_sum": WRONG["moving_sum"]},
        extra=(
            (
                "moving_sum",
                "close.__code__ = (lambda actual, expected, *, tolerance=1e-5, hint='',"
                " what='': None).__code__\nsame.__code__ = (lambda actual, expected, *, hint='',"
                " what='': None).__code__",
            ),
        ),
    ),
    Case(
        "input_transformed",
        "lets IPython rewrite each later cell to a pass",
        "no shell of the student runs a test cell",
        "points",
        {"runs": WRONG["runs"]},
        extra=(
            (
                "runs",
                "get_ipython().input_transformers_post.append("
                "lambda lines: ['pass\\n'] if any('same(' in line for line in lines) else lines)",
            ),
        ),
    ),
    Case(
        "assertions_cut_out",
        "removes assertions and calls of checks from the syntax tree of every later cell",
        "no shell of the student runs a test cell",
        "points",
        {"softmax": WRONG["softmax"]},
        extra=(
            (
                "softmax",
                """import ast
class Cut(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
    def visit_Expr(self, node):
        return ast.copy_location(ast.Pass(), node) if isinstance(node.value, ast.Call) else node
get_ipython().ast_transformers.append(Cut())""",
            ),
        ),
    ),
    Case(
        "test_ends_the_cell",
        "raises an exception that ends the test cell as if it had passed (IPython hides it)",
        "an exception in the student's process is a value, never a verdict",
        "points",
        {
            "runs": """def runs(text):
    import inspect
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "run_cell":
        frame = frame.f_back
    if frame is not None:
        type(frame.f_locals["self"]).run_code = quiet
    return []


async def quiet(self, code, result=None, *, async_=False):
    return False"""
        },
        extra=(
            (
                "test_runs",
                """import types
if hasattr(get_ipython(), "run_code"):
    shell = get_ipython()
    inner = shell.run_code
    async def calm(code, result=None, *, async_=False):
        await inner(code, None, async_=async_)
        return False
    shell.run_code = calm
    shell.showtraceback = lambda *a, **k: None""",
            ),
        ),
    ),
    Case(
        "stub_error_forged",
        "raises the exceptions of checks itself, with a category and a hint of its own",
        "hints of hidden tests are shown only where the author wrote them",
        "secret",
        {
            "softmax": """from companion.checks import CheckFailed
def softmax(scores, temperature):
    raise CheckFailed("value", "seen", str(scores.flatten().tolist()))
"""
        },
        statuses=("wrong",),
        secret="1.2505086660385132",
    ),
    Case(
        "result_file_written",
        "writes a result with full points wherever one could be looked for",
        "results come through a pipe of the worker alone",
        "harm",
        {
            "runs": WRONG["runs"]
            + """
import json, os, pathlib
for place in (".", "..", "{course}/build/grading/results/target", "/tmp"):
    try:
        (pathlib.Path(place) / "x.json").write_text(json.dumps({"status": "ok", "score": 12}))
    except OSError:
        pass
"""
        },
    ),
    Case(
        "exit_code_zero",
        "ends the process with status 0 in the middle of a hidden test",
        "an end of the session is a crash, whatever its status",
        "harm",
        {"runs": "import os\ndef runs(text):\n    os._exit(0)\n"},
        statuses=("crash",),
    ),
    Case(
        "partial_credit_displayed",
        "displays the points itself when a test calls the answer, and silences what follows",
        "points are the value of the trusted cell",
        "points",
        {"runs": WRONG["runs"]},
        extra=(
            (
                "test_runs",
                """shell = get_ipython()
if hasattr(shell, "run_cell"):
    inner = shell.run_cell
    def run_cell(source, **options):
        return inner("2.0" if "same(" in source else source, **options)
    shell.run_cell = run_cell""",
            ),
        ),
    ),
]
