"""Redoes the stored long computations: `python -m tools.precompute [NN/name ...]`.

Every result lives in course/precomputed/NN/name.json; manifest.json beside it records the command,
the seeds, the versions, the SHA-256 of each, and a hash over the code and data that it was computed
from.  Without arguments, lists what exists and what is stale.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import inspect
import json
import platform
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "course" / "precomputed"
DATA = ROOT / "companion" / "data" / "files"


def modules() -> dict[str, list[Any]]:
    """`{"02": [tools.precompute_02]}`: each has JOBS (name -> function) and COVERS.

    COVERS lists per job the functions and data files that decide its result.  A chapter may have
    several modules, `precompute_03.py` and `precompute_03_dial.py`.
    """
    found: dict[str, list[Any]] = {}
    for path in sorted(Path(__file__).parent.glob("precompute_[0-9][0-9]*.py")):
        module = importlib.import_module(f"tools.{path.stem}")
        found.setdefault(path.stem.split("_")[1], []).append(module)
    return found


def jobs() -> dict[str, Callable[[], Any]]:
    """All computations: `{"02/prequential": function}`, from the modules of each chapter."""
    return {
        f"{chapter}/{name}": job
        for chapter, parts in modules().items()
        for module in parts
        for name, job in module.JOBS.items()
    }


def covers(key: str) -> str:
    """Hash over what a result depends on: the job, and what its module lists for it in COVERS.

    Of a function its statements count, not its comments, docstring or annotations.
    """
    chapter, name = key.split("/")
    module = next(m for m in modules()[chapter] if name in m.JOBS)
    digest = hashlib.sha256()
    for part in (module.JOBS[name], *module.COVERS[name]):
        text = (DATA / part).read_bytes() if isinstance(part, str) else _statements(part).encode()
        digest.update(hashlib.sha256(text).digest())
    return digest.hexdigest()


def _statements(function: Any) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        for name in ("annotation", "returns"):
            if isinstance(getattr(node, name, None), ast.AST) and not isinstance(
                node, ast.AnnAssign
            ):
                setattr(node, name, None)
    return ast.dump(tree)


def stale() -> list[str]:
    """Stored results whose code or data changed since, or that are not stored at all."""
    found = []
    for key in jobs():
        chapter, name = key.split("/")
        path = FOLDER / chapter / "manifest.json"
        manifest = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if manifest.get(name, {}).get("covers") != covers(key):
            found.append(key)
    return found


def store(key: str, result: Any, seconds: float) -> None:
    import numpy
    import torch

    chapter, name = key.split("/")
    folder = FOLDER / chapter
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    manifest_path = folder / "manifest.json"
    manifest = json.loads(manifest_path.read_text()) if manifest_path.exists() else {}
    manifest[name] = {
        "command": f"make precompute ONLY={key}",
        "seeds": result["seeds"],
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__.split("+")[0],
            "numpy": numpy.__version__,
        },
        "cpu_seconds": round(seconds),
        "covers": covers(key),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    text = json.dumps(dict(sorted(manifest.items())), indent=1) + "\n"
    manifest_path.write_text(text, encoding="utf-8")


def mark_current(key: str) -> None:
    """Writes today's hash beside a stored result that today's code was seen to repeat."""
    chapter, name = key.split("/")
    path = FOLDER / chapter / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest[name] = {**manifest[name], "covers": covers(key)}
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="NN/name, or NN for a whole chapter")
    parser.add_argument(
        "--repeated",
        action="store_true",
        help="compute nothing: the code changed in form alone, and the stored numbers were seen "
        "to come again (`make test-full ONLY=recomputed`)",
    )
    options = parser.parse_args()
    known = jobs()
    if not options.only:
        late = stale()
        print("\n".join(f"{key}{'  (stale)' if key in late else ''}" for key in known))
        return 0
    chosen = [k for k in known if any(k == o or k.startswith(f"{o}/") for o in options.only)]
    if not chosen:
        print(f"no stored computation {options.only}: expected one of {', '.join(known)}")
        return 2
    if options.repeated:
        for key in chosen:
            mark_current(key)
        return 0
    import torch

    torch.set_num_threads(1)
    for key in chosen:
        start = time.process_time()
        print(f"{key} ...", flush=True)
        store(key, known[key](), time.process_time() - start)
        print(f"{key}: {time.process_time() - start:.0f} CPU seconds", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
