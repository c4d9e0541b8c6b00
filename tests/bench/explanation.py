"""Maps of the 1,797 digits: time beside the fastest peers, and what both keep of the neighbours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from companion.data import load
from companion.explanation import trustworthiness, tsne, umap
from tools.bench import Comparison, Timed

PEER_OF_UMAP = "umap-learn"


def digits() -> Tensor:
    return load("digits", split="all").inputs.flatten(1)


def cpu_seconds(function: Callable[[], object]) -> Timed:
    """`function` timed by the processor time of this process, all its threads together."""

    def run() -> float:
        start = time.process_time()
        function()
        return time.process_time() - start

    return run


def kept(x: Tensor, y: object, name: str) -> float:
    found = trustworthiness(x, torch.as_tensor(y, dtype=x.dtype))
    print(f"  trustworthiness (5 neighbours) of {name}: {found:.4f}", flush=True)
    return found


def check_above(found: float, least: float) -> None:
    if not found >= least:
        raise ValueError(f"the map keeps {found:.4f}, expected at least {least:.4f}")


def tsne_of_digits() -> tuple[Timed, Timed]:
    """Beside the faster of scikit-learn and openTSNE, which is found out here."""
    import openTSNE
    from sklearn.manifold import TSNE

    x = digits()
    check_above(kept(x, tsne(x), "ours"), 0.993)
    peers = {
        "scikit-learn": lambda: TSNE(init="pca", random_state=0, n_jobs=1).fit_transform(x.numpy()),
        "openTSNE": lambda: openTSNE.TSNE(n_jobs=1, random_state=0).fit(x.numpy()),
    }
    seconds = {}
    for name, peer in peers.items():
        start = time.process_time()
        kept(x, peer(), name)
        seconds[name] = time.process_time() - start
        print(f"  {name}: {seconds[name]:.1f} s of processor time", flush=True)
    return cpu_seconds(lambda: tsne(x)), cpu_seconds(peers[min(seconds, key=seconds.get)])


def umap_again() -> tuple[Timed, Timed]:
    """Second calls: umap-learn has compiled."""
    import umap as umap_learn

    x = digits()

    def peer() -> object:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="n_jobs")
            return umap_learn.UMAP(random_state=0, n_jobs=1).fit_transform(x.numpy())

    ours, theirs = kept(x, umap(x), "ours"), kept(x, peer(), PEER_OF_UMAP)
    check_above(ours, theirs - 0.005)
    return cpu_seconds(lambda: umap(x)), cpu_seconds(peer)


FIRST = {
    "ours": "from companion.explanation import umap; umap(x)",
    "theirs": "import umap; umap.UMAP(random_state=0, n_jobs=1).fit_transform(x.numpy())",
}


def first_call(code: str) -> Timed:
    """Its processor seconds in a new process, without the data's and torch's import."""
    program = (
        "import time, torch, companion.data\n"
        "x = companion.data.load('digits', split='all').inputs.flatten(1)\n"
        f"start = time.process_time()\n{code}\nprint(time.process_time() - start)"
    )

    def run() -> float:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return float(done.stdout.split()[-1])

    return run


ENTRIES = [
    Comparison(
        name="tsne_digits", chapter="06", prepare=tsne_of_digits, n_repeats=3, bar=2.5,
        is_long=True, peer_name="the faster of openTSNE and scikit-learn",
    ),
    Comparison(
        name="umap_digits_first", chapter="06", n_repeats=3, bar=1.0, peer_name=PEER_OF_UMAP,
        is_long=True,
        prepare=lambda: (first_call(FIRST["ours"]), first_call(FIRST["theirs"])),
    ),
    Comparison(
        name="umap_digits_again", chapter="06", prepare=umap_again, n_repeats=3, bar=3.0,
        peer_name=PEER_OF_UMAP, is_long=True,
    ),
]  # fmt: skip
