"""Makes the import of nbformat and nbgrader quick."""

from __future__ import annotations

import sys


def import_jsonschema() -> None:
    """Imports jsonschema without its check of international web addresses.

    That one compiles a grammar when it is imported, which takes longer than all the rest of
    nbgrader; no notebook is checked for such addresses.  Call it before nbformat is imported.
    """
    if "jsonschema" in sys.modules or "rfc3987_syntax" in sys.modules:
        return
    sys.modules["rfc3987_syntax"] = None  # as if it were not installed
    try:
        import jsonschema  # noqa: F401
    finally:
        del sys.modules["rfc3987_syntax"]
