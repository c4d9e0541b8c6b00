"""Redoes the stored long computations: `python -m tools.precompute [NN/name ...]`.

Every result lives in course/precomputed/NN/name.json; manifest.json beside it records the command,
the seeds, the versions and the SHA-256 of each.  Without arguments, lists what exists.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "course" / "precomputed"


def jobs() -> dict[str, Any]:
    """All computations: `{"02/prequential": function}`, from tools/precompute_NN.py."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("precompute_[0-9][0-9].py")):
        module = importlib.import_module(f"tools.{path.stem}")
        chapter = path.stem.removeprefix("precompute_")
        found |= {f"{chapter}/{name}": job for name, job in module.JOBS.items()}
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
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    text = json.dumps(dict(sorted(manifest.items())), indent=1) + "\n"
    manifest_path.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="NN/name, or NN for a whole chapter")
    options = parser.parse_args()
    known = jobs()
    if not options.only:
        print("\n".join(known))
        return 0
    chosen = [k for k in known if any(k == o or k.startswith(f"{o}/") for o in options.only)]
    if not chosen:
        print(f"no stored computation {options.only}: expected one of {', '.join(known)}")
        return 2
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
