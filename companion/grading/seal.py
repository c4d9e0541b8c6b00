"""Puts back what student code replaced in the libraries that tests rely on.

Student code shares its interpreter with torch, `companion` and the clock.  Before every call of a
test, each public and private name of the sealed modules and classes is compared with what it was
when the interpreter started, and put back where it differs.  Nobody loses points by this; what was
put back is reported.
"""

from __future__ import annotations

import builtins
import random
import sys
import time
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

    def restore(self) -> list[str]:
        """Puts everything back; returns the names that had been replaced or removed."""
        found = []
        missing = object()
        for place, before, names, values in self.kept:
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


def _hides(place: Any, name: str) -> bool:
    """Whether a name that was added stands before an inherited or a built-in one."""
    if isinstance(place, type):
        return any(name in vars(base) for base in place.__mro__[1:])
    return hasattr(builtins, name)


def _name(place: Any) -> str:
    return getattr(place, "__qualname__", None) or getattr(place, "__name__", "?")
