"""Companion library of the course *Learning Is Compression*.

Modules are imported when they are first used: `from companion import architecture`, or
`import companion` and then `companion.architecture`.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

__version__ = "0.1.0"
_MODULES = frozenset(m.name for m in pkgutil.iter_modules(__path__) if m.name != "__main__")


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"companion has no module {name!r}; there are: {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return sorted(_MODULES)
