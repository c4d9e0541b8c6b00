"""What importing the library costs beyond importing what it is made of."""

import os
import subprocess
import sys

from tools.bench import Comparison, Timed

OURS = "from companion import architecture, training, data, plotting"
PEER = "import torch, matplotlib"


def fresh_interpreter(code: str) -> Timed:
    """Runs `code` in a new interpreter and returns its CPU seconds.

    Importing is work, not waiting; CPU time does not count what else the machine does.
    """

    def run() -> float:
        process = subprocess.Popen([sys.executable, "-c", code])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"{code!r} ended with status {status}")
        return usage.ru_utime + usage.ru_stime

    return run


ENTRIES = [
    Comparison(
        name="import",
        chapter="02",
        prepare=lambda: (fresh_interpreter(OURS), fresh_interpreter(PEER)),
        peer_name=PEER,
        n_repeats=5,
        bar=1.15,
    )
]
