"""Right answers with odd manners: each keeps all its points.

A case is a name and how the notebook differs: other answers, further cells, or an edit of the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.attacks.bank import code_cell, grade_id, source


@dataclass(frozen=True)
class Innocent:
    name: str
    answers: dict[str, str] = field(default_factory=dict)
    extra: tuple[tuple[str, str], ...] = ()
    edit: Callable[[dict[str, Any]], Any] = lambda notebook: notebook


RIGHT = {grade_id(cell): cell["source"] for cell in source()["cells"] if grade_id(cell)}
SOFTMAX = "    return torch.softmax(scores / temperature, -1)\n"
RUNS = "    return [(letter, len(list(run))) for letter, run in itertools.groupby(text)]\n"


def _runs(body: str, before: str = "", after: str = "") -> dict[str, str]:
    return {"runs": f"{before}def runs(text):\n{body}{after}"}


def _softmax(body: str, before: str = "", after: str = "") -> dict[str, str]:
    return {"softmax": f"{before}def softmax(scores, temperature):\n{body}{after}"}


def _without_tests(notebook: dict[str, Any]) -> dict[str, Any]:
    kept = [c for c in notebook["cells"] if not grade_id(c).startswith(("test_", "hidden_"))]
    return notebook | {"cells": kept}


def _twice(notebook: dict[str, Any]) -> dict[str, Any]:
    copies = [json.loads(json.dumps(c)) | {"id": f"{c['id']}-copy"} for c in notebook["cells"]]
    return notebook | {"cells": notebook["cells"] + copies}


def _moved(notebook: dict[str, Any]) -> dict[str, Any]:
    cells = notebook["cells"]
    runs = next(cell for cell in cells if grade_id(cell) == "runs")
    rest = [cell for cell in cells if cell is not runs]
    return notebook | {"cells": [*rest[:2], runs, *rest[2:]]}


def _split(notebook: dict[str, Any]) -> dict[str, Any]:
    """A helper was cut off into a cell of its own above, which took the mark with it."""
    place = next(i for i, cell in enumerate(notebook["cells"]) if grade_id(cell) == "runs")
    answer = notebook["cells"][place]
    helper = json.loads(json.dumps(answer)) | {"id": "runs-helper"}
    helper["source"] = "def grouped(text):\n    return itertools.groupby(text)\n"
    answer["source"] = "def runs(text):\n    return [(c, len(list(r))) for c, r in grouped(text)]\n"
    return notebook | {"cells": [*notebook["cells"][:place], helper, *notebook["cells"][place:]]}


def _each_source(change: Callable[[str], str]) -> Callable[[dict[str, Any]], Any]:
    def edit(notebook: dict[str, Any]) -> dict[str, Any]:
        cells = [cell | {"source": change(cell["source"])} for cell in notebook["cells"]]
        return notebook | {"cells": cells}

    return edit


def _unmarked(notebook: dict[str, Any]) -> dict[str, Any]:
    """Saved by a program that drops metadata."""
    return notebook | {"cells": [cell | {"metadata": {}} for cell in notebook["cells"]]}


def _with_outputs(notebook: dict[str, Any]) -> dict[str, Any]:
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 1_000_000}
    cell = code_cell("print('x' * 10**6)", "noisy") | {"outputs": [output] * 5}
    return notebook | {"cells": [*notebook["cells"], cell]}


INNOCENTS = [
    Innocent("nothing_odd"),
    Innocent("warnings", _softmax(
        "    warnings.warn('careful')\n    sys.stderr.write('note')\n    print('hi')\n" + SOFTMAX,
        before="import sys, warnings\n")),
    Innocent("flood_of_output", _softmax(SOFTMAX, after="print('x' * 10_000_000)\n"),
             extra=(("test_runs", "import sys\nsys.stderr.write('y' * 10_000_000)"),)),
    Innocent("exit_at_the_end_of_a_cell", _runs(RUNS, after="import sys\nsys.exit()\n")),
    Innocent("exit_in_an_extra_cell", extra=(("runs", "raise SystemExit(1)"),)),
    Innocent("failing_extra_cell", extra=(("runs", "1 / 0"), ("runs", "def (:"))),
    Innocent("helper_in_an_extra_cell", _runs("    return helper(text)\n"),
             extra=(("runs", "def helper(text):\n" + RUNS),)),
    Innocent("magics", _runs(RUNS, before="%%time\n%matplotlib inline\n!pip install nothing\n"),
             extra=(("softmax", "%load_ext autoreload\n%autoreload 2\n?torch"),
                    ("test_runs", "get_ipython().run_line_magic('matplotlib', 'inline')"))),
    Innocent("figures", _runs(RUNS, after="import matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
                              "plt.show()\nplt.figure().savefig('f.png')\n")),
    Innocent("input_not_reached", _runs(RUNS, after="if False:\n    input()\n")),
    Innocent("thread_that_ended", _runs(RUNS, after="import threading\nt = threading.Thread("
                                        "target=print)\nt.start()\nt.join()\n")),
    Innocent("thread_that_stays", _softmax(
        SOFTMAX, after="import time\nfrom threading import Thread\n"
        "Thread(target=time.sleep, args=(600,), daemon=True).start()\n")),
    Innocent("seeds_set", _softmax("    torch.manual_seed(0)\n" + SOFTMAX,
                                   after="import numpy\nnumpy.random.seed(1)\nrandom.seed(2)\n")),
    Innocent("print_options_and_threads", _softmax(
        SOFTMAX, after="torch.set_printoptions(precision=2)\n"
        "torch.set_default_dtype(torch.float32)\n"
        "torch.set_num_threads(1)\ntorch.set_grad_enabled(True)\n")),
    Innocent("slow", _runs("    import time\n    time.sleep(0.3)\n" + RUNS)),
    Innocent("parameter_for_a_tensor", _softmax(
        "    return nn.Parameter(torch.softmax(scores / temperature, -1))\n")),
    Innocent("numpy_numbers", _runs(
        "    return [(c, np.int64(len(list(run)))) for c, run in itertools.groupby(text)]\n",
        before="import numpy as np\n")),
    Innocent("named_tuples", _runs(
        "    return [Run(letter, len(list(run))) for letter, run in itertools.groupby(text)]\n",
        before="from collections import namedtuple\nRun = namedtuple('Run', 'letter n')\n")),
    Innocent("global_cache", _runs("    if text not in cache:\n        cache[text] = group(text)\n"
                                   "    return cache[text]\n",
                                   before="cache = {}\ndef group(text):\n" + RUNS)),
    Innocent("recursion_and_lru_cache", _runs(
        "    if not text:\n        return []\n    rest = list(runs(text[1:]))\n"
        "    if rest and rest[0][0] == text[0]:\n"
        "        return [(text[0], rest[0][1] + 1), *rest[1:]]\n    return [(text[0], 1), *rest]\n",
        before="from functools import lru_cache\n@lru_cache(maxsize=None)\n")),
    Innocent("generators_and_dataclasses", _runs(
        "    return [(r.letter, r.n) for r in found(text)]\n",
        before="from dataclasses import dataclass\n@dataclass\nclass R:\n    letter: str\n"
        "    n: int\n"
        "def found(text):\n    for letter, run in itertools.groupby(text):\n"
        "        yield R(letter, len(list(run)))\n")),
    Innocent("future_annotations", {"runs": "from __future__ import annotations\n"
                                    "def runs(text: str) -> list[Undefined]:\n" + RUNS}),
    Innocent("async_helper", _runs("    return asyncio.run(later(text))\n",
                                   before="import asyncio\nasync def later(text):\n" + RUNS)),
    Innocent("honest_dunders", _softmax(
        "    return Chances(torch.softmax(scores / temperature, -1)).values\n",
        before="class Chances:\n    def __init__(self, values):\n        self.values = values\n"
        "    def __repr__(self):\n        return 'chances'\n    def __eq__(self, other):\n"
        "        return self.values.equal(other.values)\n    __hash__ = None\n")),
    Innocent("data_loaded", extra=(("softmax", "from companion.data import load\n"
                                    "test = load('mnist1d', split='test')\nlen(test)"),)),
    Innocent("own_function_replaced", _runs("    return []\n", after="def better(text):\n" + RUNS
                                            + "runs = better\n")),
    Innocent("library_function_wrapped", _softmax(
        SOFTMAX, after="inner = torch.relu\ntorch.relu = lambda x: inner(x)\n")),
    Innocent("absent_file_tried", _runs(RUNS, after="try:\n    open('data.csv')\n"
                                        "except OSError:\n    pass\n")),
    Innocent("file_written_and_read", _runs(RUNS, after="open('notes.txt', 'w').write('x')\n"
                                            "assert open('notes.txt').read() == 'x'\n")),
    Innocent("environment_and_logging", _runs(
        "    logging.info('called')\n" + RUNS,
        before="import logging, multiprocessing, os, subprocess\nos.environ.get('HOME')\n"
        "os.environ['X'] = '1'\nlogging.basicConfig(level=logging.DEBUG)\n")),
    Innocent("other_alphabets", _runs("    größe, 文字 = len, text\n"
                                      "    return [(c, größe(list(r))) for c, r in "
                                      "itertools.groupby(文字)]  # ½ — ∂\n")),
    Innocent("carriage_returns", edit=_each_source(lambda text: text.replace("\n", "\r\n"))),
    Innocent("tabs", {"runs": "def runs(text):\n\treturn [(c, len(list(r))) for c, r in "
                      "itertools.groupby(text)]\n"}),
    Innocent("star_imports", extra=(("softmax", "from math import *\nfrom numpy import *"),)),
    Innocent("group_of_exceptions", extra=(("runs", "raise ExceptionGroup('', [OSError()])"),)),
    Innocent("half_a_surrogate_printed", _runs(RUNS, after="print('\\\\ud800')\n")),
    Innocent("tests_deleted", edit=_without_tests),
    Innocent("everything_copied", edit=_twice),
    Innocent("answer_moved", edit=_moved),
    Innocent("answer_split", edit=_split),
    Innocent("metadata_lost", edit=_unmarked),
    Innocent("large_outputs", edit=_with_outputs),
    Innocent("two_random_draws", _softmax("    torch.rand(3)\n" + SOFTMAX)),
]  # fmt: skip
