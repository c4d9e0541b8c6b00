"""Plants small faults in reference solutions and counts how many the test cells notice.

    python -m tools.mutate [ASSIGNMENT] [TASK]

A mutant changes one place inside a solution region the way deep-learning code usually goes wrong.
It is killed when a check of the task's own test cells fails.  Mutants that only crash, or run for
ever, are counted apart and leave the score alone.  A survivor that computes the same function is
argued in `tests/variants/<assignment>/<task>/equivalent.yml` (`mutant id: reason`).  Tasks whose
right answers are many say so (`open_ended` in their table) and count like all others.

Results go to `tests/mutation/<assignment>.json`, with a hash over what they depend on; progress
lies under `build/mutation/`, so an interrupted run continues where it stopped.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools._assignment import BEGIN_SOLUTION, END_SOLUTION, ROOT, Assignment, pick
from tools._runner import Report, Runner
from tools.variants import job_for, preload

RESULTS = ROOT / "tests" / "mutation"
PROGRESS = ROOT / "build" / "mutation"
MAX_MUTANTS = 60
WANTED_MUTANTS = 15
WANTED_SCORE = 0.90
MAX_EQUIVALENT = 0.10


@dataclass(frozen=True)
class Mutant:
    """One planted fault: `before` became `after` on `line` of the solution cell."""

    id: str
    operator: str
    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.id}  line {self.line}: {self.before}  ->  {self.after}"


Operator = Callable[[ast.AST, "Context"], Iterator[ast.AST]]
OPERATORS: dict[str, Operator] = {}


@dataclass(frozen=True)
class Context:
    """What an operator may ask about the place where a node stands."""

    parent: Mapping[ast.AST, ast.AST]
    bound_before: Mapping[ast.AST, frozenset[str]]


def operator(function: Operator) -> Operator:
    OPERATORS[function.__name__] = function
    return function


@operator
def wrong_axis(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """`dim=0` for `dim=1`, in keyword or position."""
    if isinstance(node, ast.keyword) and node.arg in ("dim", "axis", "dims"):
        for value in _other_axes(node.value):
            yield ast.keyword(node.arg, value)
    elif isinstance(node, ast.Call) and _called(node) in AXIS_FIRST:
        position = 0 if _is_method(node) else 1
        if len(node.args) > position:
            for value in _other_axes(node.args[position]):
                yield _with_argument(node, position, value)


@operator
def drop_transpose(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A missing `.T`, `.transpose(…)`, `.permute(…)` or `.flip(…)`."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value
    elif _is_method(node) and _called(node) in ("transpose", "permute", "flip", "t", "swapaxes"):
        yield node.func.value
    elif isinstance(node, ast.Call) and _called(node) in ("flip", "flipud", "fliplr") and node.args:
        yield node.args[0]


@operator
def reduction(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """`mean` for `sum`, `max` for `min`, `var` for `std`, as function or as text."""
    if isinstance(node, ast.Call) and _called(node) in REDUCTIONS:
        yield _renamed(node, REDUCTIONS[_called(node)])
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if node.value in REDUCTIONS:
            yield ast.Constant(REDUCTIONS[node.value])


@operator
def off_by_one(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A bound of a slice or a range that is one too large or too small."""
    if isinstance(node, ast.Slice):
        for part in ("lower", "upper", "step"):
            bound = getattr(node, part)
            if bound is not None:
                for value in _plus_minus(bound):
                    changed = copy.copy(node)
                    setattr(changed, part, value)
                    yield changed
    elif isinstance(node, ast.Call) and _called(node) in ("range", "arange"):
        for position, argument in enumerate(node.args):
            for value in _plus_minus(argument):
                yield _with_argument(node, position, value)


@operator
def gradient_flow(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A dropped `.detach()` or `.clone()`, a dropped `no_grad`, a `.detach()` too many."""
    if _is_method(node) and _called(node) in ("detach", "clone", "requires_grad_"):
        yield node.func.value
    elif isinstance(node, ast.With) and "no_grad" in ast.unparse(node.items[0]):
        yield ast.If(ast.Constant(True), node.body, [])
    elif isinstance(node, ast.Return) and node.value is not None:
        if isinstance(node.value, ast.Call | ast.BinOp | ast.Name):
            yield ast.Return(_method(node.value, "detach"))


@operator
def train_eval(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """Training mode where evaluation mode is meant, and the reverse."""
    if isinstance(node, ast.Call) and _called(node) in ("train", "eval"):
        yield _renamed(node, {"train": "eval", "eval": "train"}[_called(node)])
    elif _reads(node) and ast.unparse(node) in ("self.training", "training"):
        yield ast.UnaryOp(ast.Not(), node)


@operator
def epsilon(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """`sqrt(v) + eps` for `sqrt(v + eps)`, and no eps at all."""
    if isinstance(node, ast.Call) and _called(node) in ("sqrt", "rsqrt"):
        inner = node.func.value if _is_method(node) else node.args[0] if node.args else None
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Add):
            yield ast.BinOp(_with_operand(node, inner.left), ast.Add(), inner.right)
            yield _with_operand(node, inner.left)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        inner = node.left
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Add):
            power = ast.BinOp(inner.left, ast.Pow(), node.right)
            yield ast.BinOp(power, ast.Add(), inner.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        if "eps" in ast.unparse(node.right):
            yield node.left


@operator
def comparison(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """`<=` for `<`, the opposite comparison, `==` for `!=`."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in COMPARISONS.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [kind()], node.comparators)


@operator
def arithmetic(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """`+` for `-`, `*` for `/`, `//` rounded the other way, one operand lost."""
    if isinstance(node, ast.BinOp):
        for kind in ARITHMETIC.get(type(node.op), ()):
            yield ast.BinOp(node.left, kind(), node.right)
        if isinstance(node.op, ast.FloorDiv):
            down = ast.BinOp(ast.UnaryOp(ast.USub(), node.left), ast.FloorDiv(), node.right)
            yield ast.UnaryOp(ast.USub(), down)
        if isinstance(node.op, ast.MatMult):
            yield ast.BinOp(node.right, ast.MatMult(), node.left)
    elif isinstance(node, ast.AugAssign):
        for kind in ARITHMETIC.get(type(node.op), ()):
            yield ast.AugAssign(node.target, kind(), node.value)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if not isinstance(node.operand, ast.Constant):
            yield node.operand


@operator
def complement(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """`z` for `1 - z`: the two sides of a gate exchanged."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        if isinstance(node.left, ast.Constant) and node.left.value == 1:
            yield node.right


@operator
def drop_keyword(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A forgotten keyword argument: `keepdim`, `bias`, `stride`, `generator`."""
    if isinstance(node, ast.Call):
        for position, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                changed = copy.copy(node)
                changed.keywords = node.keywords[:position] + node.keywords[position + 1 :]
                yield changed


@operator
def constant(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """Another number; a flag the other way round."""
    if not isinstance(node, ast.Constant):
        return
    parent = context.parent.get(node)
    if isinstance(parent, ast.keyword) and parent.arg in ("dim", "axis", "dims"):
        return
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        if node.value > 1:
            yield ast.Constant(node.value - 1)
    elif isinstance(node.value, float):
        yield ast.Constant(node.value * 2 if node.value else 1.0)


@operator
def unbiased(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """Division by n - 1 for division by n in `var` and `std`."""
    if isinstance(node, ast.Call) and _called(node) in ("var", "std", "var_mean", "std_mean"):
        names = {keyword.arg for keyword in node.keywords}
        if not names & {"unbiased", "correction"}:
            changed = copy.copy(node)
            changed.keywords = [*node.keywords, ast.keyword("correction", ast.Constant(0))]
            yield changed


@operator
def dtype(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A conversion lost, another precision."""
    if isinstance(node, ast.Attribute) and node.attr in DTYPES:
        yield ast.Attribute(node.value, DTYPES[node.attr], node.ctx)
    elif _is_method(node) and _called(node) in CONVERSIONS:
        yield node.func.value


@operator
def in_place(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """`x.mul(…)` for `x.mul_(…)`, whose result is lost, and the reverse."""
    if _is_method(node):
        name = _called(node)
        if name.endswith("_") and not name.startswith("_") and name != "requires_grad_":
            yield _renamed(node, name[:-1])
        elif name in IN_PLACE:
            yield _renamed(node, name + "_")


@operator
def function_swap(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A neighbouring function: `tanh` for `sigmoid`, `ceil` for `floor`, `log` for `log2`."""
    if isinstance(node, ast.Call) and _called(node) in FUNCTIONS:
        yield _renamed(node, FUNCTIONS[_called(node)])


@operator
def drop_statement(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A forgotten line, where leaving it out does not leave a name undefined."""
    if isinstance(node, ast.AugAssign):
        yield ast.Pass()
    elif isinstance(node, ast.If) and not node.orelse:
        yield ast.Pass()
    elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
        yield ast.Pass()
    elif isinstance(node, ast.Assign):
        target = node.targets[0]
        rebinds = isinstance(target, ast.Name) and target.id in context.bound_before[node]
        if rebinds or isinstance(target, ast.Subscript | ast.Attribute):
            yield ast.Pass()


@operator
def condition(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """A condition negated, `and` for `or`."""
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        changed = copy.copy(node)
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield changed
    elif isinstance(node, ast.BoolOp):
        kind = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(kind, node.values)


@operator
def swap_arguments(node: ast.AST, context: Context) -> Iterator[ast.AST]:
    """Two neighbouring arguments, or two parts of a returned tuple, exchanged."""
    if isinstance(node, ast.Call) and _called(node) not in ("range", "isinstance", "max", "min"):
        for i in range(min(len(node.args) - 1, 3)):
            a, b = node.args[i], node.args[i + 1]
            if not isinstance(a, ast.Starred) and not isinstance(b, ast.Starred):
                changed = copy.copy(node)
                changed.args = [*node.args[:i], b, a, *node.args[i + 2 :]]
                yield changed
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        parts = node.value.elts
        if len(parts) >= 2:
            yield ast.Return(ast.Tuple([parts[1], parts[0], *parts[2:]], ast.Load()))


AXIS_FIRST = frozenset(
    {"sum", "mean", "amax", "amin", "argmax", "argmin", "cumsum", "softmax", "log_softmax",
     "unfold", "flip", "cat", "stack", "var", "std", "unsqueeze", "squeeze", "size", "norm",
     "logsumexp", "index_select", "gather", "flatten", "cumprod", "prod", "any", "all"}
)  # fmt: skip
REDUCTIONS = {
    "mean": "sum", "sum": "mean", "amax": "amin", "amin": "amax", "max": "min", "min": "max",
    "argmax": "argmin", "argmin": "argmax", "var": "std", "std": "var", "cumsum": "cumprod",
    "prod": "sum", "any": "all", "all": "any",
}  # fmt: skip
FUNCTIONS = {
    "sigmoid": "tanh", "tanh": "sigmoid", "relu": "sigmoid", "gelu": "relu", "ceil": "floor",
    "floor": "ceil", "log": "log2", "log2": "log", "exp": "expm1", "sqrt": "square",
    "softmax": "log_softmax", "log_softmax": "softmax", "zeros": "ones", "ones": "zeros",
    "zeros_like": "ones_like", "ones_like": "zeros_like", "zeros_": "ones_", "ones_": "zeros_",
    "ReLU": "Sigmoid", "Sigmoid": "Tanh", "Tanh": "Sigmoid", "MaxPool1d": "AvgPool1d",
    "AvgPool1d": "MaxPool1d", "maximum": "minimum", "minimum": "maximum", "abs": "relu",
    "randn": "rand", "rand": "randn", "kaiming_normal_": "xavier_normal_",
    "kaiming_uniform_": "xavier_uniform_", "register_buffer": "__setattr__",
}  # fmt: skip
DTYPES = {"float32": "float64", "float64": "float32", "int64": "int32", "long": "int"}
CONVERSIONS = frozenset({"float", "double", "long", "int", "to", "type_as", "bool", "contiguous"})
IN_PLACE = frozenset({"add", "sub", "mul", "div", "clamp", "masked_fill", "relu", "scatter_add"})
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
ARITHMETIC: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.Mod: (ast.FloorDiv,), ast.Pow: (ast.Mult,),
}  # fmt: skip


def _called(node: ast.AST) -> str:
    """Last part of the name that a call calls."""
    function = getattr(node, "func", None)
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_method(node: ast.AST) -> bool:
    """A call on a value, such as `x.sum()`, and not on a module, such as `torch.sum(x)`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    root = node.func.value
    return ast.unparse(root) not in MODULES


MODULES = frozenset(
    {"torch", "F", "nn", "math", "np", "numpy", "torch.nn", "torch.nn.functional", "nn.functional",
     "nn.init", "torch.nn.init", "init", "torch.linalg", "torch.optim", "itertools", "functools"}
)  # fmt: skip


def _reads(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)


def _renamed(node: ast.Call, name: str) -> ast.Call:
    changed = copy.copy(node)
    if isinstance(node.func, ast.Attribute):
        changed.func = ast.Attribute(node.func.value, name, node.func.ctx)
    else:
        changed.func = ast.Name(name, ast.Load())
    return changed


def _with_argument(node: ast.Call, position: int, value: ast.expr) -> ast.Call:
    changed = copy.copy(node)
    changed.args = [*node.args[:position], value, *node.args[position + 1 :]]
    return changed


def _with_operand(node: ast.Call, operand: ast.expr) -> ast.Call:
    """The same function of another value, whether written `f(x)` or `x.f()`."""
    changed = copy.copy(node)
    if _is_method(node):
        changed.func = ast.Attribute(operand, node.func.attr, node.func.ctx)
    else:
        changed.args = [operand, *node.args[1:]]
    return changed


def _method(value: ast.expr, name: str) -> ast.Call:
    return ast.Call(ast.Attribute(value, name, ast.Load()), [], [])


def _integer(node: ast.AST | None) -> int | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _other_axes(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Tuple | ast.List):
        for i in range(len(node.elts) if len(node.elts) > 1 else 0):
            yield ast.Tuple(node.elts[:i] + node.elts[i + 1 :], ast.Load())
        return
    axis = _integer(node)
    if axis is not None:
        yield ast.parse(repr({0: 1, -1: -2, -2: -1}.get(axis, axis - 1)), mode="eval").body


def _plus_minus(node: ast.expr) -> Iterator[ast.expr]:
    number = _integer(node)
    for step, kind in ((1, ast.Add()), (-1, ast.Sub())):
        if number is not None:
            if number != 0 or step > 0:
                yield ast.parse(repr(number + step), mode="eval").body
        else:
            yield ast.BinOp(node, kind, ast.Constant(1))


def mutants_of(source: str, *, limit: int | None = MAX_MUTANTS) -> list[Mutant]:
    """Every different mutant of a solution cell, or `limit` of them spread over the operators."""
    tree = ast.parse(source)
    lines = _solution_lines(source)
    nodes = list(ast.walk(tree))
    context = Context(_parents(tree), _bound_before(tree))
    seen = {ast.unparse(tree)}
    times: Counter[str] = Counter()
    by_operator: dict[str, list[Mutant]] = {name: [] for name in OPERATORS}
    for index, node in enumerate(nodes):
        place = getattr(node, "lineno", None)
        if place is None or place not in lines or _in_annotation(node, context):
            continue
        for name, mutate in OPERATORS.items():
            for replacement in mutate(node, context):
                mutated = _replaced(tree, index, replacement)
                text = ast.unparse(mutated)
                if text in seen or not _compiles(text):
                    continue
                seen.add(text)
                before, after = _line(node), _line(replacement)
                key = f"{name}:{before}:{after}"
                times[key] += 1
                digest = hashlib.sha256(f"{key}:{times[key]}".encode()).hexdigest()[:6]
                by_operator[name].append(
                    Mutant(f"{name}-{digest}", name, place, before, after, text)
                )
    if limit is None:
        limit = sum(map(len, by_operator.values()))
    chosen: list[Mutant] = []
    while len(chosen) < limit and any(by_operator.values()):
        for waiting in by_operator.values():
            if waiting and len(chosen) < limit:
                chosen.append(waiting.pop(0))
    return sorted(chosen, key=lambda mutant: (mutant.line, mutant.id))


def _solution_lines(source: str) -> set[int]:
    """Line numbers inside solution regions; all lines where there is no region."""
    lines, inside, marked = set(), False, False
    for number, line in enumerate(source.split("\n"), start=1):
        if BEGIN_SOLUTION in line:
            inside = marked = True
        elif END_SOLUTION in line:
            inside = False
        elif inside:
            lines.add(number)
    return lines if marked else set(range(1, source.count("\n") + 2))


def _parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def _bound_before(tree: ast.AST) -> dict[ast.AST, frozenset[str]]:
    """For each assignment, the names that its function has already bound above it."""
    found: dict[ast.AST, frozenset[str]] = {}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.Module):
            continue
        bound = set()
        if isinstance(function, ast.FunctionDef):
            arguments = function.args
            bound = {
                a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            }
        inside = [n for n in ast.walk(function) if isinstance(n, ast.Assign)]
        for node in sorted(inside, key=lambda n: n.lineno):
            found[node] = frozenset(bound) | found.get(node, frozenset())
            for target in node.targets:
                bound |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    return found


def _in_annotation(node: ast.AST, context: Context) -> bool:
    while node in context.parent:
        parent = context.parent[node]
        if getattr(parent, "annotation", None) is node or getattr(parent, "returns", None) is node:
            return True
        if isinstance(parent, ast.Raise | ast.JoinedStr) or (
            isinstance(parent, ast.Expr) and isinstance(node, ast.Constant)
        ):
            return True
        node = parent
    return False


def _replaced(tree: ast.Module, index: int, replacement: ast.AST) -> ast.Module:
    changed = copy.deepcopy(tree)
    target = list(ast.walk(changed))[index]
    for parent in ast.walk(changed):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, copy.deepcopy(replacement))
            elif isinstance(value, list) and any(item is target for item in value):
                swapped = [copy.deepcopy(replacement) if v is target else v for v in value]
                setattr(parent, name, swapped)
    return ast.fix_missing_locations(changed)


def _compiles(source: str) -> bool:
    try:
        compile(source, "<mutant>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _line(node: ast.AST, limit: int = 70) -> str:
    text = "(nothing)" if isinstance(node, ast.Pass) else " ".join(ast.unparse(node).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def status_of(report: Report) -> str:
    """ "killed" by a check, "crash", "timeout", or "survived"."""
    seen = {outcome.status for outcome in report.outcomes.values()}
    if seen & {"failed", "partial", "not attempted"}:
        return "killed"
    if "timeout" in seen:
        return "timeout"
    if seen & {"error", "crash"}:
        return "crash"
    return "survived"


def equivalents(assignment: Assignment, task: str) -> dict[str, str]:
    """Mutant id -> why no test can tell it from the solution."""
    path = assignment.variants / task / "equivalent.yml"
    if not path.exists():
        return {}
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def covered(assignment: Assignment, task: str) -> dict[str, str]:
    """The two hashes of a task: "run" over what decides each mutant's fate, "covers" over all."""
    parts = [Path(__file__).read_text(encoding="utf-8")]
    parts.append((ROOT / "companion" / "checks.py").read_text(encoding="utf-8"))
    parts += [cell.source for cell in assignment.cells if cell.kind == "setup"]
    entry = assignment.tasks[task]
    parts += [entry.solution.source, *(f"{t.name} {t.points} {t.source}" for t in entry.tests)]
    table = assignment.expectations(task)
    parts.append(repr([table.get("mutants"), table.get("open_ended")]))
    run = hashlib.sha256("\0".join(parts).encode())
    covers = run.copy()
    covers.update(json.dumps(equivalents(assignment, task), sort_keys=True).encode())
    return {"run": run.hexdigest(), "covers": covers.hexdigest()}


def task_mutants(assignment: Assignment, task: str) -> list[Mutant]:
    """The mutants that count for a task; `mutants: N` in its table asks for fewer."""
    limit = assignment.expectations(task).get("mutants", MAX_MUTANTS)
    return mutants_of(assignment.tasks[task].solution.source, limit=limit)


def run_mutants(
    assignment: Assignment, task: str, mutants: Sequence[Mutant], runner: Runner
) -> Iterator[tuple[Mutant, str]]:
    """Fate of each mutant, in their order."""
    reference = runner.run(job_for(assignment, tests=[task], seconds=300))
    broken = [name for name, o in reference.outcomes.items() if o.status != "passed"]
    if broken:
        raise ValueError(f"{assignment.name}/{task}: the reference solution fails {broken}")
    seconds = max(10.0, 5.0 * reference.seconds)
    futures = [
        runner.submit(
            job_for(assignment, {task: mutant.source}, tests=[task], seconds=seconds,
                    stop_at_failure=True)
        )
        for mutant in mutants
    ]  # fmt: skip
    for mutant, future in zip(mutants, futures, strict=True):
        yield mutant, status_of(future.result())


def measure(assignment: Assignment, task: str, runner: Runner) -> dict:
    """Runs what is not yet known of a task, and returns its entry in the stored result."""
    hashes = covered(assignment, task)
    progress = PROGRESS / assignment.name / f"{task}-{hashes['run'][:12]}.jsonl"
    progress.parent.mkdir(parents=True, exist_ok=True)
    fate: dict[str, str] = {}
    if progress.exists():
        fate = dict(json.loads(line) for line in progress.read_text().splitlines())
    mutants = task_mutants(assignment, task)
    with progress.open("a", encoding="utf-8") as log:
        waiting = [m for m in mutants if m.id not in fate]
        for mutant, status in run_mutants(assignment, task, waiting, runner) if waiting else ():
            fate[mutant.id] = status
            log.write(json.dumps([mutant.id, status]) + "\n")
            log.flush()
    return entry_for(assignment, task, mutants, fate)


def entry_for(
    assignment: Assignment, task: str, mutants: Sequence[Mutant], fate: Mapping[str, str]
) -> dict:
    """What is stored for a task: hash, counts, score, survivors, the fate of every mutant."""
    argued = equivalents(assignment, task)
    fates = {
        m.id: "equivalent" if fate[m.id] == "survived" and m.id in argued else fate[m.id]
        for m in mutants
    }
    counts = Counter(fates.values())
    judged = counts["killed"] + counts["survived"]
    by_id = {mutant.id: mutant for mutant in mutants}
    entry = {
        "covers": covered(assignment, task)["covers"],
        "counts": dict(sorted(counts.items())),
        "score": round(counts["killed"] / judged, 4) if judged else None,
        "survivors": [str(by_id[name]) for name, status in fates.items() if status == "survived"],
        "mutants": fates,
    }
    reason = assignment.expectations(task).get("open_ended")
    if reason:
        entry["open_ended"] = reason
    return entry


def summary(tasks: Mapping[str, Mapping]) -> float | None:
    """Killed over killed and survived, over all tasks that are scored."""
    scored = [entry["counts"] for entry in tasks.values()]
    killed = sum(counts.get("killed", 0) for counts in scored)
    judged = killed + sum(counts.get("survived", 0) for counts in scored)
    return round(killed / judged, 4) if judged else None


def problems_of(assignment: Assignment, stored: Mapping) -> list[str]:
    """Every way in which a stored result is stale or too low."""
    problems = []
    tasks = stored.get("tasks", {})
    for task in assignment.tasks:
        if task not in tasks or tasks[task]["covers"] != covered(assignment, task)["covers"]:
            problems.append(
                f"{assignment.name}/{task}: stale; run `python -m tools.mutate {assignment.name}`"
            )
            continue
        counts = tasks[task]["counts"]
        n_mutants = sum(counts.values())
        possible = len(mutants_of(assignment.tasks[task].solution.source, limit=None))
        if n_mutants < min(WANTED_MUTANTS, possible):
            problems.append(f"{assignment.name}/{task}: {n_mutants} mutants of {possible}")
        if counts.get("equivalent", 0) > MAX_EQUIVALENT * n_mutants:
            problems.append(
                f"{assignment.name}/{task}: {counts['equivalent']} of {n_mutants} mutants are "
                f"called equivalent, at most {MAX_EQUIVALENT:.0%} may be"
            )
        for name, reason in equivalents(assignment, task).items():
            if tasks[task]["mutants"].get(name) != "equivalent":
                problems.append(f"{assignment.name}/{task}: {name} is argued equivalent but is "
                                f"{tasks[task]['mutants'].get(name, 'no mutant')}")  # fmt: skip
            if len(str(reason)) < 20:
                problems.append(f"{assignment.name}/{task}: {name} has no argument")
    for task in set(tasks) - set(assignment.tasks):
        problems.append(f"{assignment.name}/{task}: stored, but there is no such task")
    score = summary(tasks)
    if score is not None and score < WANTED_SCORE:
        problems.append(
            f"{assignment.name}: mutation score {score:.1%}, expected {WANTED_SCORE:.0%}"
        )
    return problems


def stored_path(assignment: Assignment) -> Path:
    return RESULTS / f"{assignment.name}.json"


def read_stored(assignment: Assignment) -> dict:
    path = stored_path(assignment)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.mutate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("assignment", nargs="?")
    parser.add_argument("task", nargs="?")
    arguments = parser.parse_args(argv)
    assignments = pick(arguments.assignment)
    problems: list[str] = []
    with Runner(preload=preload(assignments)) as runner:
        for assignment in assignments:
            tasks = read_stored(assignment).get("tasks", {})
            tasks = {name: tasks[name] for name in assignment.tasks if name in tasks}
            chosen = [arguments.task] if arguments.task else list(assignment.tasks)
            for task in chosen:
                entry = measure(assignment, task, runner)
                tasks[task] = entry
                scored = "no score" if entry["score"] is None else f"score {entry['score']:.1%}"
                scored += " (open-ended)" if entry.get("open_ended") else ""
                counts = ", ".join(f"{n} {status}" for status, n in entry["counts"].items())
                print(f"{assignment.name}/{task}: {scored}  ({counts})", flush=True)
                print("".join(f"    {line}\n" for line in entry["survivors"]), end="")
            result = {
                "assignment": assignment.name,
                "score": summary(tasks),
                "tasks": {name: tasks[name] for name in assignment.tasks if name in tasks},
            }
            RESULTS.mkdir(parents=True, exist_ok=True)
            stored_path(assignment).write_text(json.dumps(result, indent=1) + "\n")
            problems += problems_of(assignment, result)
            print(f"{assignment.name}: {summary(tasks):.1%} of the judged mutants killed")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
