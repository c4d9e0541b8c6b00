"""Tampering with the interpreter, the libraries and the functions that tests use."""

from tests.attacks.bank import WRONG, Case

GROUP = "tampering with libraries"

CASES = [
    Case(
        "torch_functions_replaced",
        "exchanges torch.allclose and NumPy's comparisons for functions that agree with everything",
        "the checker has a torch and a NumPy of its own",
        "points",
        {"softmax": WRONG["softmax"]},
        extra=(
            (
                "softmax",
                "import numpy as np\n"
                "torch.allclose = torch.equal = lambda *a, **k: True\n"
                "np.abs = lambda x: np.zeros(1)\n",
            ),
        ),
    ),
    Case(
        "tensor_method_replaced",
        "lets every tensor hand out the same array, so that any two agree",
        "the checker has a torch of its own",
        "points",
        {"moving_sum": WRONG["moving_sum"]},
        extra=(
            (
                "moving_sum",
                "import numpy as np\n"
                "torch.Tensor.numpy = lambda self, **k: np.zeros(tuple(self.shape))\n",
            ),
        ),
    ),
    Case(
        "tracer_set",
        "sets a trace function that rewrites local variables of the test while it runs",
        "test cells run in another process",
        "points",
        {"softmax": WRONG["softmax"]},
        extra=(
            (
                "test_softmax",
                """import sys
from companion import checks
def trace(frame, event, argument):
    if frame.f_code.co_name == "close":
        frame.f_trace_lines = True
        return jump
    return trace if event == "call" else None
def jump(frame, event, argument):
    return jump
inner = checks.close
def close(actual, expected, **more):
    return inner(expected, expected, **more)
torch.allclose = lambda a, b, **k: True
sys.settrace(trace)""",
            ),
        ),
    ),
    Case(
        "gradient_engine_replaced",
        "exchanges torch.autograd.grad for a function that gives what the test expects",
        "replaced names are put back before each call",
        "points",
        {
            "scaling": """class Scaling(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))
    def forward(self, x):
        Scaling.seen = x.detach()
        return x + 0 * self.weight.detach()
def make_scaling(n_features):
    return Scaling(n_features)
"""
        },
        extra=(
            (
                "test_scaling",
                """from companion import checks
def grad(total, wanted, **more):
    if len(wanted) == 1:
        return [torch.zeros_like(w) for w in wanted]
    return [reply.cotangent, (Scaling.seen * reply.cotangent).sum(0)]
inner_vjp = checks.vjp
def reply(target, inputs, cotangent, **more):
    reply.cotangent = cotangent
    return inner_vjp(target, inputs, cotangent, **more)
vjp = reply
torch.autograd.grad = grad""",
            ),
        ),
        visible_counts=True,
    ),
    Case(
        "operator_watch_replaced",
        "makes `forbid` watch nothing, then uses the forbidden operator",
        "replaced names are put back before each call",
        "points",
        {
            "moving_sum": """import contextlib
from companion import checks
def moving_sum(series, width):
    return torch.nn.functional.conv1d(series[None, None], torch.ones(1, 1, width))[0, 0]
checks.forbid = lambda *a, **k: contextlib.nullcontext()
checks._Watch.__torch_dispatch__ = lambda self, f, t, a=(), k=None: f(*a, **(k or {}))
forbid = checks.forbid
"""
        },
        statuses=("wrong",),
    ),
    Case(
        "module_reloaded",
        "imports a changed copy of companion.checks under the name of the real one",
        "the checker's modules are not the student's",
        "points",
        {"runs": WRONG["runs"]},
        extra=(
            (
                "test_runs",
                """import sys, types
fake = types.ModuleType("companion.checks")
fake.__dict__.update(sys.modules["companion.checks"].__dict__)
fake.same = fake.close = lambda *a, **k: None
sys.modules["companion.checks"] = fake
from companion.checks import same, close""",
            ),
        ),
    ),
    Case(
        "helpers_of_checks_replaced",
        "replaces what `same` itself calls: its look at lengths, and Python's zip",
        "replaced names are put back before each call; verdicts are made elsewhere",
        "points",
        {"runs": WRONG["runs"]},
        extra=(
            (
                "test_runs",
                "from companion import checks\n"
                "checks._same_length = lambda *a, **k: None\nchecks.zip = lambda *a, **k: ()\n",
            ),
        ),
    ),
    Case(
        "builtins_replaced",
        "replaces Python's len and zip by ones that lie to the comparing functions alone",
        "builtins are put back before each call; verdicts are made elsewhere",
        "points",
        {"runs": WRONG["runs"]},
        extra=(
            (
                "test_runs",
                """import builtins, sys
def lying(name, lie):
    real = getattr(builtins, name)
    def function(*args, **kwargs):
        caller = sys._getframe(1).f_code.co_name
        return lie if caller in ("same", "_same_length") else real(*args, **kwargs)
    return function
builtins.len, builtins.zip = lying("len", 1), lying("zip", ())""",
            ),
        ),
    ),
]
