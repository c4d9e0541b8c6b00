"""Makes the imports of torch, nbformat and nbgrader quick."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


def import_jsonschema() -> None:
    """Imports jsonschema without its check of international web addresses.

    That one compiles a grammar when it is imported, which takes longer than all the rest of
    nbgrader; no notebook is checked for such addresses.  Call it before nbformat is imported.
    """
    if "jsonschema" not in sys.modules and "rfc3987_syntax" not in sys.modules:
        with _as_if_missing("rfc3987_syntax"):
            import jsonschema  # noqa: F401


def import_torch() -> None:
    """Imports torch without the bindings of CUDA's driver, which only compiling kernels needs."""
    if "torch" not in sys.modules and "cuda" not in sys.modules:
        with _as_if_missing("cuda"):
            import torch  # noqa: F401


@contextlib.contextmanager
def _as_if_missing(module: str) -> Iterator[None]:
    sys.modules[module] = None
    try:
        yield
    finally:
        del sys.modules[module]
