"""`load`: one function for every data set of the course."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from companion.data.dataset import Dataset

DIGITS = tuple("0123456789")
GARMENTS = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
SPLITS = ("train", "test", "all")
NAMES = ("mnist1d", "mnist", "fashion_mnist", "digits", "breast_cancer")
NETS = ("digit_net", "digit_net_other")
HAS_FULL = ("mnist", "fashion_mnist")
FULL_SIZES = {"train": 60_000, "t10k": 10_000}


def load(name: str, *, split: str = "train", source: str = "embedded") -> Dataset:
    """Loads a data set: inputs float32, targets int64.

    | name            | inputs                      | train + test   | classes |
    | --------------- | --------------------------- | -------------- | ------- |
    | "mnist1d"       | (N, 40)                     | 4,000 + 1,000  | 10      |
    | "mnist"         | (N, 1, 28, 28) in [0, 1]    | 4,000 + 1,000  | 10      |
    | "fashion_mnist" | (N, 1, 28, 28) in [0, 1]    | 4,000 + 1,000  | 10      |
    | "digits"        | (N, 1, 8, 8) in [0, 1]      | 1,437 + 360    | 10      |
    | "breast_cancer" | (N, 30), unscaled           | 455 + 114      | 2       |

    `source="embedded"` reads what ships with the package and needs no network.
    `source="full"` gives MNIST and Fashion-MNIST whole (60,000 + 10,000), from torchvision's
    cache where it is already there, else downloaded once.

    Raises:
        ValueError: an unknown name, split or source, or a damaged data file.
        FileNotFoundError: `source="full"` without a cached copy and without a network.
    """
    _refuse_where_away()
    if name not in NAMES:
        raise ValueError(f"no data set {name!r}: expected one of {', '.join(NAMES)}")
    if split not in SPLITS:
        raise ValueError(f'no split {split!r}: expected "train", "test" or "all"')
    if source == "full":
        return _load_full(name, split)
    if source != "embedded":
        raise ValueError(f'no source {source!r}: expected "embedded" or "full"')
    if name in ("digits", "breast_cancer"):
        return _load_from_sklearn(name, split)
    return _load_arrays(name, split)


def load_weights(name: str) -> dict[str, torch.Tensor]:
    """Weights of a trained net that ships with the package, as float32, by their names.

    "digit_net" is that of assignment 05: 784 inputs, 100 hidden units, 10 outputs.

    Raises:
        ValueError: an unknown name, or a damaged file.
    """
    if name not in NETS:
        raise ValueError(f"no net {name!r}: expected one of {', '.join(NETS)}")
    arrays = read_file(f"{name}.npz")
    return {key: torch.from_numpy(array.astype(np.float32)) for key, array in arrays.items()}


def sources() -> dict[str, dict[str, str]]:
    """Origin, licence and SHA-256 of every file that ships with the package."""
    return json.loads(_folder().joinpath("SOURCES.json").read_text(encoding="utf-8"))


def read_file(file_name: str, folder: Path | None = None) -> dict[str, np.ndarray]:
    """Arrays of a shipped `.npz` file, after its checksum was compared.

    Raises:
        ValueError: the file is missing or its bytes are not those that were published.
    """
    _refuse_where_away()
    kept = _training_part.get(file_name.removesuffix(".npz"))
    if kept is not None:
        return {key: array.copy() for key, array in kept.items()}
    path = (folder or _folder()).joinpath(file_name)
    expected = sources()[file_name]["sha256"]
    if not path.is_file():
        raise ValueError(f"data file {file_name} is missing: reinstall the course package")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(
            f"data file {file_name} is damaged: its SHA-256 begins {found[:12]}, expected "
            f"{expected[:12]}; restore it with `git checkout -- companion/data/files` "
            "or reinstall the course package"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def _folder() -> Path:
    return Path(str(files("companion.data") / "files"))


# Training examples of the shipped arrays, where a grader keeps the test split out of reach.
_training_part: dict[str, dict[str, np.ndarray]] = {}


def keep_training_part(arrays: dict[str, dict[str, np.ndarray]]) -> None:
    """Serves these data sets from `arrays`, which hold no test split.

    Afterwards `split="test"` and `"all"` give training examples, so that a notebook that looks at
    its own accuracy still runs.
    """
    _training_part.update(arrays)
    _arrays.cache_clear()


# Not empty in a process that must do without data.
_away: list[str] = []


def take_away() -> None:
    """Leaves no data set in this process, and serves none from now on."""
    for arrays in _training_part.values():
        for array in arrays.values():
            array[...] = 0
    _training_part.clear()
    _arrays.cache_clear()
    _away.append("no data set is within reach here: this process was started without any")


def _refuse_where_away() -> None:
    if _away:
        raise FileNotFoundError(_away[0])


@lru_cache(maxsize=8)
def _arrays(name: str) -> dict[str, np.ndarray]:
    return read_file(f"{name}.npz")


def _load_arrays(name: str, split: str) -> Dataset:
    arrays = _training_part.get(name) or _arrays(name)
    inputs, targets = arrays["inputs"], arrays["targets"]
    first_of_test = 4000 if name not in _training_part else 3000
    chosen = {
        "train": slice(0, 4000), "test": slice(first_of_test, 5000), "all": slice(None),
    }[split]  # fmt: skip
    values = torch.from_numpy(inputs[chosen].copy())
    if values.dtype == torch.uint8:  # images: (N, 28, 28) bytes -> (N, 1, 28, 28) in [0, 1]
        values = values.float().unsqueeze(1) / 255
    labels = torch.from_numpy(targets[chosen].astype(np.int64))
    classes = GARMENTS if name == "fashion_mnist" else DIGITS
    return Dataset(values.float(), labels, classes, name, split)


def _load_from_sklearn(name: str, split: str) -> Dataset:
    from sklearn import datasets

    bunch = datasets.load_digits() if name == "digits" else datasets.load_breast_cancer()
    inputs = torch.from_numpy(bunch.data).float()
    if name == "digits":
        inputs = inputs.view(-1, 1, 8, 8) / 16
        classes = DIGITS
    else:
        classes = tuple(str(label) for label in bunch.target_names)
    everything = Dataset(inputs, torch.from_numpy(bunch.target).long(), classes, name, split)
    if split == "all":
        return everything
    test = torch.from_numpy(_arrays("splits")[f"{name}_test"].astype(np.int64))
    if split == "test":
        return everything.subset(test)
    is_train = torch.ones(len(everything), dtype=torch.bool)
    is_train[test] = False
    return everything.subset(is_train)


def _load_full(name: str, split: str) -> Dataset:
    if name not in HAS_FULL:
        raise ValueError(
            f"{name!r} has no larger version: source='full' exists for {' and '.join(HAS_FULL)}"
        )
    from torchvision import datasets

    root = Path(torch.hub.get_dir()).parent / "companion"
    kind = datasets.MNIST if name == "mnist" else datasets.FashionMNIST
    folder = root / kind.__name__ / "raw"
    parts = []
    for is_train in {"train": [True], "test": [False], "all": [True, False]}[split]:
        try:
            parts.append(kind(root, train=is_train, download=True))
        except Exception as error:
            _check_cached(folder, kind.resources)
            stem = "train" if is_train else "t10k"
            raise FileNotFoundError(
                f"the full {name} is not cached and could not be downloaded "
                f"({type(error).__name__}): put {stem}-images-idx3-ubyte.gz and "
                f"{stem}-labels-idx1-ubyte.gz into {folder}, or use source='embedded'"
            ) from error
    _check_cached(folder, kind.resources)
    images = torch.cat([part.data for part in parts]).float().unsqueeze(1) / 255
    labels = torch.cat([part.targets for part in parts]).long()
    classes = GARMENTS if name == "fashion_mnist" else DIGITS
    return Dataset(images, labels, classes, name, split)


def _check_cached(folder: Path, resources: Sequence[tuple[str, str]]) -> None:
    """Compares torchvision's cache with `resources`, its names and MD5 sums of the packed files.

    An unpacked file has no published checksum: it must equal what the packed one beside it holds,
    or, without that, have the right header and length.  A missing file is no damage.

    Raises:
        ValueError: a file is damaged.
    """
    for name, md5 in resources:
        packed, unpacked = folder / name, folder / name.removesuffix(".gz")
        damaged = None
        if packed.is_file():
            content = packed.read_bytes()
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
                damaged = packed
            elif unpacked.is_file() and unpacked.read_bytes() != gzip.decompress(content):
                damaged = unpacked
        elif unpacked.is_file() and not _is_plausible(unpacked):
            damaged = unpacked
        if damaged is not None:
            raise ValueError(
                f"{damaged} is damaged: delete it and load again, which fetches it anew, "
                "or use source='embedded'"
            )


def _is_plausible(path: Path) -> bool:
    """Whether an unpacked file has the header and length of MNIST's, and labels from 0 to 9."""
    n, holds_images = FULL_SIZES[path.name.split("-")[0]], "images" in path.name
    shape = (n, 28, 28) if holds_images else (n,)
    header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
    content = path.read_bytes()
    is_whole = content.startswith(header) and len(content) == len(header) + math.prod(shape)
    return is_whole and (holds_images or max(content[len(header) :]) < 10)
