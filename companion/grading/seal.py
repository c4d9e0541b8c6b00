"""Puts back what student code replaced in the libraries that tests rely on.

Student code shares its interpreter with torch, `companion` and the clock.  Before every call of a
test, each public and private name of the sealed modules and classes is compared with what it was
when the interpreter started, and put back where it differs.  Nobody loses points by this; what was
put back is reported.

CPython up to 3.12 numbers every change of a dict.  Where it does, a namespace whose number stayed
the same needs no look at its names, which would load some thousand objects into the processor's
cache at every call.
"""

from __future__ import annotations

import builtins
import ctypes
import functools
import gc
import random
import sys
import time
import types
from collections.abc import Iterable
from operator import is_
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# Names that libraries or IPython change by themselves.
CHANGING = frozenset({"_", "__builtins__", "__warningregistry__", "_initialized", "_lazy_modules"})


class Seal:
    """What the sealed modules and classes held when this object was made."""

    def __init__(self) -> None:
        from companion import checks

        modules = [sys.modules[name] for name in sys.modules if name.startswith("companion.")]
        modules += [builtins, time, random, torch, torch.autograd, torch.nn, torch.nn.functional,
                    torch.linalg, torch.optim, torch.overrides]  # fmt: skip
        classes = [torch.Tensor, torch.nn.Module, torch.autograd.Function, TorchDispatchMode,
                   TorchFunctionMode, torch.optim.Optimizer, torch.Generator]  # fmt: skip
        classes += [kind for kind in vars(checks).values() if isinstance(kind, type)]
        self.kept = [
            (place, dict(vars(place)), list(vars(place)), list(vars(place).values()))
            for place in dict.fromkeys([*modules, *classes])
        ]
        self.versions = [_version(place) for place, *_ in self.kept] if numbers_changes() else None
        self.unchanged = [-1] * len(self.kept)  # version of each place when it was last looked at

    def restore(self) -> list[str]:
        """Puts everything back; returns the names that had been replaced or removed."""
        if self.versions is None:
            return self._restored(range(len(self.kept)))
        # Read before the look: what a thread changes meanwhile shows at the next one.
        versions = [version.value for version in self.versions]
        if versions == self.unchanged:
            return []
        changed = [i for i, version in enumerate(versions) if version != self.unchanged[i]]
        self.unchanged = versions
        return self._restored(changed)

    def _restored(self, numbers: Iterable[int]) -> list[str]:
        found = []
        missing = object()
        for place, before, names, values in map(self.kept.__getitem__, numbers):
            now = vars(place)
            # Nearly always nothing has changed, and this asks so without a loop of Python's.
            if list(now) == names and all(map(is_, now.values(), values)):
                continue
            changed = [
                name
                for name, value in before.items()
                if now.get(name, missing) is not value and name not in CHANGING
            ]
            for name in changed:
                try:
                    setattr(place, name, before[name])
                except (AttributeError, TypeError):
                    continue  # a slot of the interpreter, such as __dict__, is no plain name
                found.append(f"{_name(place)}.{name}")
            for name in [name for name in now if name not in before and _hides(place, name)]:
                delattr(place, name)
                found.append(f"{_name(place)}.{name}")
        return found


@functools.cache
def numbers_changes() -> bool:
    """Whether this interpreter gives a dict another number at each change, of every kind."""
    if sys.implementation.name != "cpython":
        return False
    module, kind = types.ModuleType("probe"), type("Probe", (), {})
    space = vars(module)

    def assign(place: Any) -> None:
        place.name = object()

    changes = [
        lambda: assign(module),
        lambda: assign(kind),
        lambda: space.update(name=object()),
        lambda: space.__setitem__("other", object()),
        lambda: exec("name = object()", space),
        lambda: exec("def f():\n    global name\n    name = object()\nf()", space),
        lambda: delattr(module, "other"),
        lambda: space.setdefault("other", object()),
        lambda: space.pop("other"),
        lambda: space.__ior__({"name": object()}),
        lambda: setattr(kind, "other", object()),
        lambda: delattr(kind, "other"),
    ]
    versions = _version(module), _version(kind)
    for _ in range(100):  # the interpreter adapts its instructions to what they do often
        for change in changes:
            before = [version.value for version in versions]
            if before != [version.value for version in versions]:
                return False
            change()
            if before == [version.value for version in versions]:
                return False
    return True


def _version(place: Any) -> ctypes.c_uint64:
    """A view of the number that follows head and length of the dict of a module or class."""
    space = vars(place)
    if isinstance(space, types.MappingProxyType):
        (space,) = gc.get_referents(space)
    offset = object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t)
    return ctypes.c_uint64.from_address(id(space) + offset)


def _hides(place: Any, name: str) -> bool:
    """Whether a name that was added stands before an inherited or a built-in one."""
    if isinstance(place, type):
        return any(name in vars(base) for base in place.__mro__[1:])
    return hasattr(builtins, name)


def _name(place: Any) -> str:
    return getattr(place, "__qualname__", None) or getattr(place, "__name__", "?")
