"""The verbs that test cells use, and messages that teach.

A test cell never touches the student's objects directly.  It names a function of the notebook,
`call("conv1d", x, w)`, and gets plain data back: numbers, strings, containers, detached copies of
tensors.  A module or any other object comes back as a `Handle`, which the verbs accept again.
The same cell therefore works in a notebook, where the function lives next door, and under a
grader that keeps the student's code in another process.
"""

from __future__ import annotations

import inspect
import linecache
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from companion import standing


class NotAttempted(NotImplementedError):
    """The task's body is still the stub.  Shown as one line instead of a traceback."""

    message = "not attempted: this task still holds `raise NotAttempted()`"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    def _render_traceback_(self) -> list[str]:
        return [f"NotAttempted: {self}"]


class CheckFailed(AssertionError):
    """A check that did not hold: what was seen, and the likely misconception.

    `category` is one of "shape", "dtype", "value", "gradient", "error", "forbidden", "type";
    `hint` names the misconception.  Neither holds an input or an expected value, so both may be
    shown for hidden tests; `details` may not.
    """

    def __init__(self, category: str, details: str, hint: str = "") -> None:
        self.category, self.details, self.hint = category, details, hint
        super().__init__(f"{details}\n{hint}" if hint else details)

    def _render_traceback_(self) -> list[str]:
        return [f"{self.category}: {self.details}", *([self.hint] if self.hint else [])]


@dataclass(frozen=True)
class Handle:
    """A student's object that is not plain data, such as a module."""

    value: Any

    def __repr__(self) -> str:
        return f"Handle({_name(self)})"


class Elsewhere(Protocol):
    """Runs a verb where the student's code is; what a grader puts into `use_elsewhere`."""

    def ask(self, verb: str, target: str | Handle, args: tuple, kwargs: dict) -> Any: ...

    def forbid(self, operators: tuple[str, ...], hint: str) -> AbstractContextManager[None]: ...

    def alone(self, name: str, part: str, args: tuple, kwargs: dict) -> Any: ...

    def cell(self, name: str) -> str: ...


_elsewhere: Elsewhere | None = None


def use_elsewhere(elsewhere: Elsewhere | None) -> None:
    """Sends every later verb to another process; None brings them back."""
    global _elsewhere
    _elsewhere = elsewhere


def call(target: str | Handle, *args: Any, method: str | None = None, **kwargs: Any) -> Any:
    """Calls a function of the notebook by name, a handle, or a method of a handle.

    Tensors are copied on the way in and detached on the way out, so a function that works in place
    cannot change what the test compares with.  Raises what the function raises, and `CheckFailed`
    where the name does not exist.
    """
    if _elsewhere is not None:
        return _elsewhere.ask("call", target, args, {"method": method, **kwargs})
    return _outward(_callee(target, method)(*_inward(args), **_inward(kwargs)))


def state(handle: Handle) -> dict[str, torch.Tensor]:
    """Parameters and buffers of a module, by name, as detached copies."""
    if _elsewhere is not None:
        return _elsewhere.ask("state", handle, (), {})
    module = _module(handle)
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def n_parameters(handle: Handle) -> int:
    """Number of trainable values that an optimizer would be given."""
    if _elsewhere is not None:
        return _elsewhere.ask("n_parameters", handle, (), {})
    return sum(p.numel() for p in _module(handle).parameters() if p.requires_grad)


def vjp(
    target: str | Handle,
    inputs: Sequence[Any],
    cotangent: torch.Tensor | Sequence[torch.Tensor | None],
    *,
    method: str | None = None,
    parameters: bool = False,
    **kwargs: Any,
) -> Any:
    """Gradients of `sum(output * cotangent)` with respect to the floating-point inputs.

    Returns a tuple as long as `inputs` (None where an input is not floating point; zeros where the
    output does not depend on it).  With `parameters=True`, returns `(gradients, by_name)`, where
    `by_name` holds a module's parameter gradients.  An output with several parts takes a sequence
    of cotangents, None for parts left out.
    """
    if _elsewhere is not None:
        named = {"method": method, "parameters": parameters, **kwargs}
        return _elsewhere.ask("vjp", target, (inputs, cotangent), named)
    leaves = [
        x.detach().clone().requires_grad_() if _is_floating(x) else _inward(x) for x in inputs
    ]
    copies = [x.clone() if _is_floating(x) else x for x in leaves]  # may be changed in place
    output = _callee(target, method)(*copies, **_inward(kwargs))
    parts = output if isinstance(output, tuple | list) else (output,)
    weights = (cotangent,) if isinstance(cotangent, torch.Tensor) else tuple(cotangent)
    if len(parts) != len(weights):
        raise CheckFailed(
            "type", f"{_name(target)} gave {len(parts)} parts, expected {len(weights)}."
        )
    terms = [(p, c) for p, c in zip(parts, weights, strict=True) if c is not None]
    if not terms or not all(isinstance(p, torch.Tensor) and p.requires_grad for p, _ in terms):
        raise CheckFailed(
            "gradient",
            f"{_name(target)} gave a result that no gradient can flow through.",
            "Somewhere the result leaves the graph: `.detach()`, `.data`, `.item()`, NumPy, "
            "an integer tensor, or values copied one by one into a new tensor.",
        )
    for part, weight in terms:
        if part.shape != weight.shape:
            raise CheckFailed(
                "shape", f"{_name(target)} gave shape {tuple(part.shape)}, "
                f"expected {tuple(weight.shape)}."
            )  # fmt: skip
    names, weights_of_module = [], []
    if parameters:
        named = dict(_module(target).named_parameters())
        names, weights_of_module = list(named), list(named.values())
    wanted = [x for x in leaves if _is_floating(x)] + weights_of_module
    total = sum((part * weight.to(part.dtype)).sum() for part, weight in terms)
    found = torch.autograd.grad(total, wanted, allow_unused=True, materialize_grads=True)
    by_position = iter(found)
    gradients = tuple(
        next(by_position).detach() if _is_floating(x) else None for x in leaves
    )  # fmt: skip
    if not parameters:
        return gradients
    return gradients, {name: next(by_position).detach() for name in names}


def operations(target: str | Handle, *args: Any, method: str | None = None, **kwargs: Any) -> int:
    """Number of tensor operators that one call runs.  A loop over positions makes it grow."""
    if _elsewhere is not None:
        return _elsewhere.ask("operations", target, args, {"method": method, **kwargs})
    function, args, kwargs = _callee(target, method), _inward(args), _inward(kwargs)
    with _Watch(frozenset()) as watch:
        function(*args, **kwargs)
    return watch.n_calls


ALONE_HINT = (
    "It runs in a fresh process that holds the imports, helpers and constants which it names from "
    "its own cell, and no variable of another cell, no file and no data set."
)


def alone(name: str, *args: Any, **kwargs: Any) -> Any:
    """Calls a function of the notebook in a fresh process that has nothing but its source.

    The source is `standing.part` of the cell that defines it: what the function names from there.
    The process has an empty folder, and neither data sets nor variables of other cells; in the
    grader no network and no files but those of installed packages either.  Arguments and result
    cross as plain data.  A module or any other object does not cross.  In a test cell, whatever
    needs the notebook's own process (`call`, `state`, …) comes before the first `alone`.
    """
    part = _part(name)
    try:
        if _elsewhere is not None:
            return _elsewhere.alone(name, part, args, kwargs)
        from companion.grading.fresh import call_alone  # needed here alone

        return call_alone(name, part, args, kwargs)
    except (NameError, FileNotFoundError) as error:
        details = f"{name}, run alone, raised {type(error).__name__}: {error}"
        failed = CheckFailed("error", details, ALONE_HINT)
        failed.where, failed.is_remote = getattr(error, "where", None), True
        raise failed from error


def source_size(name: str) -> int:
    """Bytes that count (`standing.size`) of the source with which `alone` would run a function."""
    return standing.size(_part(name))


def no_plain_data(name: str, kind: str) -> Any:
    """Raises the error for a result of `alone` that does not cross."""
    raise CheckFailed(
        "type", f"{name} gave an object of type {kind[:80]}, which does not leave its process.",
        "Numbers, strings, bytes, containers, arrays and tensors do.",
    )  # fmt: skip


def _part(name: str) -> str:
    cell = _cell(name) if _elsewhere is None else _elsewhere.cell(name)
    try:
        return standing.part(cell, name)
    except (ValueError, LookupError) as error:
        raise CheckFailed(
            "error", f"{name} cannot be run alone: {error}.",
            "It is a function that one cell defines, with `def`.",
        ) from None  # fmt: skip


def _cell(name: str) -> str:
    """The text of the cell that defines a function of this process."""
    code = getattr(inspect.unwrap(_callee(name, None)), "__code__", None)
    lines = [] if code is None else linecache.getlines(code.co_filename)
    if not lines:
        raise CheckFailed(
            "error", f"no cell is known that defines {name!r}.",
            "It is a function that one cell defines, with `def`.",
        )  # fmt: skip
    return "".join(lines)


def close(
    actual: Any, expected: Any, *, tolerance: float = 1e-5, hint: str = "", what: str = "result"
) -> None:
    """Passes where `|actual - expected| <= tolerance * max(1, |expected|)` everywhere.

    Compares numbers, tensors, arrays and containers of them.  A failure says what was observed
    (shape, largest error and where) beside what was expected, then the likely cause.
    """
    if isinstance(expected, Mapping):
        _same_keys(actual, expected, what, hint)
        for key in expected:
            close(actual[key], expected[key], tolerance=tolerance, hint=hint,
                  what=f"{what}[{key!r}]")  # fmt: skip
        return
    if isinstance(expected, tuple | list) and not _is_numbers(expected):
        _same_length(actual, expected, what, hint)
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            close(a, e, tolerance=tolerance, hint=hint, what=f"{what}[{i}]")
        return
    got, want = _array(actual, what, hint), _array(expected, what, hint)
    if got.shape != want.shape:
        raise CheckFailed(
            "shape", f"{what} has shape {got.shape}, expected {want.shape}.",
            hint or _shape_cause(got, want),
        )  # fmt: skip
    if got.size == 0:
        return
    is_finite = np.isfinite(want)
    if not np.isfinite(got[is_finite]).all():
        n = int((~np.isfinite(got) & is_finite).sum())
        raise CheckFailed(
            "value", f"{what} holds {n} values that are not finite (nan or inf).",
            hint or "Usual reasons: a division by zero, log(0), or exp of a large number.",
        )  # fmt: skip
    if not np.array_equal(got[~is_finite], want[~is_finite], equal_nan=True):
        n = int((~is_finite).sum())
        raise CheckFailed(
            "value", f"{what} differs where {n} values are expected to be nan or infinite.", hint
        )
    got, want = np.where(is_finite, got, 0.0), np.where(is_finite, want, 0.0)
    error = np.abs(got - want) / np.maximum(1.0, np.abs(want))
    if not (error <= tolerance).all():
        worst = np.unravel_index(int(error.argmax()), error.shape)
        place = f" at index {tuple(int(i) for i in worst)}" if error.ndim else ""
        n_off = int((error > tolerance).sum())
        raise CheckFailed(
            "value",
            f"{what} is off in {n_off} of {error.size} values; the largest error is{place}: "
            f"{_number(got[worst])} instead of {_number(want[worst])}.",
            hint or _value_cause(got, want, tolerance),
        )


def same(actual: Any, expected: Any, *, hint: str = "", what: str = "result") -> None:
    """Passes where both are equal: values, and for tensors shape and dtype too."""
    if isinstance(expected, torch.Tensor):
        if not isinstance(actual, torch.Tensor):
            raise CheckFailed(
                "type", f"{what} is a {type(actual).__name__}, expected a tensor.", hint
            )
        if actual.shape != expected.shape:
            raise CheckFailed(
                "shape",
                f"{what} has shape {tuple(actual.shape)}, expected {tuple(expected.shape)}.",
                hint,
            )
        if actual.dtype != expected.dtype:
            raise CheckFailed(
                "dtype", f"{what} has dtype {actual.dtype}, expected {expected.dtype}.", hint
            )
        if not torch.equal(actual, expected):
            n = int((actual != expected).sum())
            raise CheckFailed("value", f"{what} differs in {n} of {expected.numel()} values.", hint)
        return
    if isinstance(expected, tuple | list):
        _same_length(actual, expected, what, hint)
        for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
            same(a, e, hint=hint, what=f"{what}[{i}]")
        return
    if isinstance(expected, np.ndarray):
        if not isinstance(actual, np.ndarray | torch.Tensor):
            raise CheckFailed(
                "type", f"{what} is a {type(actual).__name__}, expected an array.", hint
            )
        same(torch.as_tensor(actual), torch.as_tensor(expected), hint=hint, what=what)
        return
    if isinstance(expected, Mapping):
        _same_keys(actual, expected, what, hint)
        for key in expected:
            same(actual[key], expected[key], hint=hint, what=f"{what}[{key!r}]")
        return
    plain = actual.item() if isinstance(actual, torch.Tensor | np.generic) and (
        getattr(actual, "ndim", 0) == 0
    ) else actual  # fmt: skip
    if isinstance(plain, torch.Tensor | np.ndarray | Handle) or not bool(plain == expected):
        raise CheckFailed(
            "value", f"{what} is {_short(actual)}, expected {_short(expected)}.", hint
        )


def raises(
    error: type[BaseException] | str,
    target: str | Handle,
    *args: Any,
    match: str | None = None,
    hint: str = "",
    **kwargs: Any,
) -> None:
    """Passes where the call raises `error` (a class or its name) with a message like `match`."""
    wanted = error if isinstance(error, str) else error.__name__
    try:
        call(target, *args, **kwargs)
    except (NotAttempted, CheckFailed):
        raise
    except Exception as exception:
        if wanted not in {kind.__name__ for kind in type(exception).__mro__}:
            raise CheckFailed(
                "error",
                f"{_name(target)} raised {type(exception).__name__}, expected {wanted}.",
                hint,
            ) from exception
        if match is not None and not re.search(match, str(exception)):
            raise CheckFailed(
                "error",
                f"{_name(target)} raised {wanted}, but its message does not say what it should: "
                f"{exception}",
                hint,
            ) from exception
        return
    raise CheckFailed("error", f"{_name(target)} accepted this; expected a {wanted}.", hint)


@contextmanager
def forbid(*operators: str, hint: str = "") -> Iterator[None]:
    """Refuses the named tensor operators, by their names inside torch, while the block runs.

    `forbid("convolution")` catches `torch.nn.functional.conv1d`, `nn.Conv1d` and every alias,
    because all of them end in the same operator.  The way around through NumPy is closed too; a
    second thread is not watched.
    """
    if _elsewhere is not None:
        with _elsewhere.forbid(operators, hint):
            yield
        return
    with ExitStack() as stack:
        stack.enter_context(_NoNumpy(hint))
        stack.enter_context(_Watch(frozenset(operators), hint))
        yield


def partial(points: float, reason: str) -> float:
    """Partial credit: the last line of a test cell.  Prints the reason, returns the points."""
    if not (isinstance(points, int | float) and math.isfinite(points) and points >= 0):
        raise ValueError(f"partial credit must be a finite number of points >= 0, got {points!r}")
    print(f"partial credit: {reason}")
    return float(points)


class _Watch(TorchDispatchMode):
    """Counts operators and refuses those in `names`."""

    def __init__(self, names: frozenset[str], hint: str = "") -> None:
        super().__init__()
        self.names, self.hint, self.n_calls = names, hint, 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first call imports torch's compiler, which takes seconds

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        name = func._schema.name.removeprefix("aten::")
        self.n_calls += 1
        if name.rstrip("_") in self.names or name in self.names:
            raise CheckFailed(
                "forbidden", f"the operator {name!r} ran, which this task asks you to do without.",
                self.hint,
            )  # fmt: skip
        # In inference mode composite operators arrive whole; taken apart, they show what they run.
        with self:
            parts = func.decompose(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if parts is NotImplemented else parts


class _NoNumpy(TorchFunctionMode):
    """Refuses the ways out of torch that a forbidden operator could hide behind."""

    exits = frozenset({"numpy", "__array__", "tolist", "__dlpack__", "untyped_storage", "data_ptr"})

    def __init__(self, hint: str = "") -> None:
        super().__init__()
        self.hint = hint

    def __torch_function__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        if getattr(func, "__name__", "") in self.exits:
            raise CheckFailed(
                "forbidden", "a tensor was handed to NumPy or turned into a list, "
                "which this task asks you to do without.", self.hint,
            )  # fmt: skip
        return func(*args, **(kwargs or {}))


def _namespace() -> dict[str, Any]:
    """The globals of the test cell: the first frame outside this module."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in (__name__, "contextlib"):
        frame = frame.f_back
    return frame.f_globals if frame is not None else {}


def _callee(target: str | Handle, method: str | None) -> Any:
    if isinstance(target, str):
        namespace = _namespace()
        if target not in namespace:
            raise CheckFailed(
                "error", f"the notebook defines no {target!r}.",
                "Usual reason: the cell that defines it was renamed or did not run.",
            )  # fmt: skip
        value = namespace[target]
    else:
        value = target.value if isinstance(target, Handle) else target
    return value if method is None else getattr(value, method)


def _module(handle: Handle | str) -> torch.nn.Module:
    value = handle.value if isinstance(handle, Handle) else _callee(handle, None)
    if not isinstance(value, torch.nn.Module):
        raise CheckFailed("type", f"expected a module, got a {type(value).__name__}.")
    return value


def _name(target: str | Handle) -> str:
    if isinstance(target, str):
        return target
    value = target.value if isinstance(target, Handle) else target
    return getattr(value, "__name__", type(value).__name__)


def _is_floating(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.is_floating_point()


def _inward(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Handle):
        return value.value
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _inward(item) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_inward(item) for item in value)
    return value


def _outward(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return value
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _outward(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [_outward(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, set | frozenset | range | torch.dtype | torch.device):
        return value
    return Handle(value)


def _is_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(v, int | float) for v in values)


def _array(value: Any, what: str, hint: str) -> np.ndarray:
    if isinstance(value, torch.Tensor) and not value.is_complex():
        with torch._C.DisableTorchFunction():  # the check itself may leave torch inside `forbid`
            return value.detach().cpu().to(torch.float64).numpy()
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"dtype {array.dtype}")
        return array.astype(np.float64)
    except (TypeError, ValueError):
        kind = "nothing (None)" if value is None else f"a {type(value).__name__}"
        raise CheckFailed(
            "type", f"{what} is {kind}, expected numbers.",
            hint or ("Usual reason: a missing `return`." if value is None else ""),
        ) from None  # fmt: skip


def _same_keys(actual: Any, expected: Mapping[Any, Any], what: str, hint: str) -> None:
    if not isinstance(actual, Mapping) or set(actual) != set(expected):
        seen = sorted(map(str, actual)) if isinstance(actual, Mapping) else type(actual).__name__
        wanted = sorted(map(str, expected))
        raise CheckFailed("type", f"{what} holds {seen}, expected keys {wanted}.", hint)


def _same_length(actual: Any, expected: Sequence[Any], what: str, hint: str) -> None:
    if not isinstance(actual, tuple | list | torch.Size) or len(actual) != len(expected):
        seen = f"{len(actual)} parts" if isinstance(actual, tuple | list) else type(actual).__name__
        raise CheckFailed("type", f"{what} is {seen}, expected {len(expected)} parts.", hint)


def _shape_cause(got: np.ndarray, want: np.ndarray) -> str:
    if got.shape == want.shape[::-1]:
        return "It looks transposed."
    if got.size == want.size:
        return "The number of values is right, their arrangement is not: a reshape or a transpose."
    if got.ndim == want.ndim - 1:
        return "A dimension is missing: `keepdim=True`, or the batch was summed away."
    return ""


def _value_cause(got: np.ndarray, want: np.ndarray, tolerance: float) -> str:
    def agrees(candidate: np.ndarray) -> bool:
        scale = np.maximum(1.0, np.abs(want))
        return bool((np.abs(candidate - want) <= 10 * tolerance * scale).all())

    if agrees(-got):
        return "It is the expected result with the opposite sign."
    norm = float((got * got).sum())
    factor = float((got * want).sum()) / norm if norm > 0 else 0.0
    is_one = abs(factor - 1) < 100 * tolerance  # a near miss, not a wrong factor
    if got.size > 1 and factor and not is_one and agrees(got * factor):
        return f"It is the expected result times {1 / factor:.4g}: a constant factor is off."
    offset = (want - got).mean()
    if got.size > 1 and abs(offset) > 100 * tolerance and agrees(got + offset):
        return "It differs from the expected result by the same amount everywhere."
    if got.ndim >= 2 and got.shape[-1] == got.shape[-2] and agrees(np.swapaxes(got, -1, -2)):
        return "It is the expected result with its last two axes swapped."
    if got.ndim >= 1 and got.shape[-1] > 1 and agrees(got[..., ::-1]):
        return "It is the expected result in reversed order."
    return ""


def _number(x: float) -> str:
    return f"{float(x):.6g}"


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value).replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 3] + "..."
