"""A model as a file: it comes back equal, nothing is uncounted, and damage is noticed."""

from __future__ import annotations

import hashlib
import math
import random
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from companion import compression as C
from companion.compression import codebook, fileformat, matrixcode
from companion.compression.codebook import Codebook, common_step
from companion.models import cnn1d, lenet5

seeds = st.integers(0, 99)
CODERS = ("arithmetic", "huffman", "raw")


def small(n_hidden=6):
    return nn.Sequential(nn.Linear(9, n_hidden), nn.ReLU(), nn.Linear(n_hidden, 3))


def trained(make=small, seed=0):
    torch.manual_seed(seed)
    return make()


def sparse(make, density, n_levels=9, seed=0):
    """A model with few weights of few values, biases too."""
    model = trained(make, seed)
    return C.decompress(C.compress(model, density=density, n_levels=n_levels), make())


def check_round_trip(model, make, coder="arithmetic"):
    blob = C.compress(model, coder=coder)
    found = make()
    for value in found.state_dict().values():
        value.copy_(torch.ones_like(value))
    assert C.decompress(blob, found) is found
    for (name, a), b in zip(model.state_dict().items(), found.state_dict().values(), strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b), name
    rows = C.size_report(make(), blob)
    assert sum(row.bits for row in rows) == 8 * len(blob)
    assert all(row.bits >= 0 for row in rows)
    return blob


# ---- it comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize(
    "make", [small, lambda: cnn1d(6, batch_norm=True), lenet5, lambda: nn.GRU(3, 4), nn.ReLU]
)
def test_any_model_comes_back_equal(make, coder):
    check_round_trip(trained(make), make, coder)
    check_round_trip(sparse(make, 0.1) if list(make().parameters()) else make(), make, coder)


@given(
    seed=seeds,
    density=st.floats(0.01, 1),
    n_levels=st.integers(2, 30),
    coder=st.sampled_from(CODERS),
)
def test_pruned_and_shared_models_come_back_equal(seed, density, n_levels, coder):
    check_round_trip(sparse(small, density, n_levels, seed), small, coder)


class Odd(nn.Module):
    """Tensors of all kinds."""

    def __init__(self, *values):
        super().__init__()
        for i, value in enumerate(values):
            self.register_buffer(f"b{i}", torch.as_tensor(value))


ODD = {
    "empty": torch.zeros(3, 0),
    "scalar": torch.tensor(2.5),
    "zeros": torch.zeros(4, 5),
    "ones": torch.ones(4, 5, 2),
    "bool": torch.tensor([True, False, True]),
    "bytes": torch.arange(256).to(torch.uint8),
    "negative": -torch.arange(7).view(7, 1),
    "large": torch.tensor([2**62, -5]),
    "least": torch.tensor([-(2**63)]),
    "double": torch.randn(9, dtype=torch.float64),
    "exact double": torch.arange(90, dtype=torch.float64) % 3,
    "half": torch.arange(9).half() / 8,
    "bfloat": torch.arange(9).bfloat16() / 3,
    "infinite": torch.tensor([1.0, math.inf, -math.inf] * 5),
    "tiny": torch.tensor([1e-45, -1e-45, 0, 3e38] * 9),
    "few halves": torch.tensor([[0.5, 0, 0, 2]] * 9),
    "many halves": torch.arange(5000) / 16,
    "step": 0.1 * (torch.arange(900) % 31 - 15),
    "transposed": torch.arange(12).view(3, 4).float().T,
}


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("name", ODD)
def test_tensors_of_all_kinds_come_back(name, coder):
    value = ODD[name]
    make = lambda: Odd(torch.zeros_like(value), torch.zeros(2, 3), torch.zeros_like(value))  # noqa: E731
    check_round_trip(Odd(value, torch.ones(2, 3), value), make, coder)


def test_nan_and_signs_of_zero():
    found = C.decompress(C.compress(Odd([1.0, math.nan])), Odd([0.0, 0.0]))
    assert found.b0[0] == 1 and found.b0[1].isnan()
    pruned = torch.randn(40, 50) * 0.0  # half of these are -0.0
    assert len(C.compress(Odd(pruned))) == len(C.compress(Odd(pruned.abs()))) < 20


@given(seed=seeds, k=st.integers(1, 200), scale=st.floats(1e-6, 1e6))
def test_multiples_of_a_step_are_recognized(seed, k, scale):
    integers = np.random.default_rng(seed).integers(-k, k + 1, 60)
    integers[0] = 1  # so that the step itself occurs
    values = integers.astype(np.float32) * np.float32(scale)
    step = common_step(values)
    assert step is not None
    book = Codebook(step=step)
    assert np.array_equal(book.values(book.integers(values)), values)


def test_a_step_that_does_not_occur_itself_is_found_too():
    for integers in ([2, 5, -3], [4, 6, 9], [0, 10, 15, -25], [7]):
        values = np.array(integers, np.float32) * np.float32(0.37)
        assert common_step(values) is not None
    assert common_step(np.float32([1, math.pi, math.e])) is None
    assert common_step(np.zeros(3, np.float32)) is None
    assert Codebook(step=np.float32(1)).integers(np.float32([codebook.MAX_MULTIPLE])) is None


def test_a_fresh_process_reads_the_same_bits(tmp_path):
    model = sparse(lenet5, 0.03)
    (tmp_path / "net.lc").write_bytes(C.compress(model))
    program = (
        "import sys, hashlib; from companion import compression, models;"
        "net = compression.decompress(open(sys.argv[1], 'rb').read(), models.lenet5());"
        "data = b''.join(t.numpy().tobytes() for t in net.state_dict().values());"
        "print(hashlib.sha256(data).hexdigest())"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "net.lc"], capture_output=True, text=True
    )
    data = b"".join(t.numpy().tobytes() for t in model.state_dict().values())
    assert found.stdout.strip() == hashlib.sha256(data).hexdigest(), found.stderr


def test_the_file_is_the_same_every_time():
    model = sparse(small, 0.4)
    assert C.compress(model) == C.compress(model)
    assert C.compress(known_model()).hex() == KNOWN


# ---- how long it is ----------------------------------------------------------------------------


def bits_of(tensor):
    """Entropy of positions and of values, as if their shares were known."""
    values = tensor[tensor != 0]
    n, k = tensor.numel(), len(values)
    counts = values.unique(return_counts=True)[1].tolist()
    return C.entropy_bits([k, n - k]) + C.entropy_bits(counts)


def test_patternless_zeros_and_values_cost_their_entropy():
    generator = torch.Generator().manual_seed(0)
    levels = torch.randn(8, generator=generator)
    value = levels[torch.randint(0, 8, (300, 400), generator=generator)]
    value = value * (torch.rand(300, 400, generator=generator) < 0.05)
    bits = 8 * len(C.compress(Odd(value)))
    assert bits_of(value) < bits < 1.03 * bits_of(value) + 8 * 32 + 200


def test_patterns_cost_less():
    """Full and empty units, and weights in patches as in a first layer."""
    generator = torch.Generator().manual_seed(0)
    rates = torch.rand(100, 1, generator=generator) ** 4 * torch.rand(1, 500, generator=generator)
    uneven = (torch.rand(100, 500, generator=generator) < 0.5 * rates).float()
    assert 8 * len(C.compress(Odd(uneven))) < 0.9 * bits_of(uneven)
    patches = torch.zeros(100, 28, 28)
    for i in range(100):
        r, c = torch.randint(0, 23, (2,), generator=generator).tolist()
        patches[i, r : r + 5, c : c + 5] = 1 if i % 2 else -1
    assert 8 * len(C.compress(Odd(patches.flatten(1)))) < 0.5 * bits_of(patches)
    dead = torch.zeros(300, 400)
    dead[::50] = 1.0
    assert 8 * len(C.compress(Odd(dead))) < 0.1 * bits_of(dead)


def test_units_that_get_few_weights_send_few():
    """How full a row is says how full the column of its unit is in the next matrix."""
    generator = torch.Generator().manual_seed(0)
    rates = torch.rand(200, generator=generator) ** 4
    first = (torch.rand(200, 50, generator=generator) < rates[:, None]).float()
    second = (torch.rand(20, 200, generator=generator) < rates).float()
    in_order = len(C.compress(Odd(first, second)))
    shuffled = torch.randperm(200, generator=generator)
    assert in_order < len(C.compress(Odd(first, second[:, shuffled]))) - 20


def test_many_values_are_written_with_one_table():
    value = (torch.randn(200, 120, generator=torch.Generator().manual_seed(0)) * 9).round()
    assert (value != 0).sum() > matrixcode.MANY
    blob = check_round_trip(Odd(value), lambda: Odd(torch.zeros(200, 120)))
    total = C.entropy_bits(value.unique(return_counts=True)[1].tolist())
    assert total < 8 * len(blob) < 1.01 * total + 1000


def test_coders_in_their_order():
    model = sparse(lenet5, 0.03)
    arithmetic, huffman, raw = (len(C.compress(model, coder=coder)) for coder in CODERS)
    assert 1.1 * arithmetic < huffman < 0.5 * raw
    n = sum(p.numel() for p in model.parameters())
    assert raw < 4 * n / 7 and 4 * n < len(C.compress(trained(lenet5))) < 4 * n + 30


def test_density_and_levels_simplify_a_copy():
    model = trained(lenet5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = C.decompress(C.compress(model, density=0.05, n_levels=7), lenet5())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    weights = [p for p in found.parameters() if p.ndim > 1]
    n = sum(p.numel() for p in weights)
    assert sum(int((p != 0).sum()) for p in weights) == round(0.05 * n)
    assert all(len(p.unique()) <= 7 for p in found.parameters())
    threshold = torch.cat([p.abs().flatten() for p in model.parameters() if p.ndim > 1])
    threshold = threshold.sort(descending=True).values[round(0.05 * n) - 1]
    for p, q in zip(model.parameters(), found.parameters(), strict=True):
        if p.ndim > 1:
            assert torch.equal(q != 0, p.abs() >= threshold)
    only = C.decompress(C.compress(model, density=0.05), lenet5())
    for p, q in zip(model.parameters(), only.parameters(), strict=True):
        assert torch.equal(q, torch.where(p.abs() >= threshold, p, 0) if p.ndim > 1 else p)


def test_levels_beyond_half_precision_are_kept():
    shared = C.decompress(C.compress(Weights(1e-9, 1e9), n_levels=2), Weights(0, 0))
    assert shared.weight.tolist() == [torch.tensor(v).item() for v in (1e-9, 1e9)]


class Weights(nn.Module):
    def __init__(self, *values):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([float(value) for value in values]))


def test_a_codebook_serves_the_next_tensor_too():
    value = torch.randn(8, generator=torch.Generator().manual_seed(0))[torch.arange(200) % 8]
    once, twice = len(C.compress(Odd(value))), len(C.compress(Odd(value, value)))
    assert once > 8 * 4 and twice - once < 200 * 3 / 8 + 4


def test_levels_that_are_large_multiples_of_a_small_step_stay_levels():
    """Any few half-precision values have a common step; a table of its multiples is no bargain."""
    value = torch.tensor([1.0, 1.001, 0.3, -0.7]).half().float()[torch.arange(100) % 4]
    assert common_step(value.numpy()) is not None
    for coder in CODERS:
        assert len(C.compress(Odd(value), coder=coder)) < 100 * 2 / 8 + 4 * 2 + 35


def test_the_report_names_the_parts():
    model = sparse(small, 0.5, n_levels=5)
    rows = C.size_report(small(), C.compress(model))
    parts = {(row.tensor, row.part): row for row in rows}
    positions, values = parts["0.weight", "positions"], parts["0.weight", "values"]
    weight = model[0].weight
    assert (positions.values, positions.distinct) == (54, 2)
    assert values.values == int((weight != 0).sum())
    assert values.distinct == parts["0.weight", "codebooks"].distinct - 1 == 4
    assert rows[-1].part == "header" and 80 <= rows[-1].bits <= 120
    raw = C.size_report(small(), C.compress(trained()))
    assert {row.part for row in raw} == {"raw", "header"}
    assert [row.bits for row in raw][:-1] == pytest.approx(
        [32 * 54, 32 * 6, 32 * 18, 32 * 3], abs=4
    )
    equal = C.size_report(small(), C.compress(model, coder="raw"))
    assert {row.part: row.values for row in equal if row.tensor == "0.weight"} == {
        "codebooks": 5, "values": 54,
    }  # fmt: skip


# ---- damage ------------------------------------------------------------------------------------


def untouched(blob, says, make=small):
    model = trained(make, seed=5)
    before = [value.clone() for value in model.state_dict().values()]
    with pytest.raises(ValueError, match=says) as caught:
        C.decompress(blob, model)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=says):
        C.size_report(model, blob)
    assert all(map(torch.equal, before, model.state_dict().values()))


def test_every_changed_bit_is_noticed():
    blob = C.compress(sparse(small, 0.4))
    for place in range(8 * len(blob)):
        changed = bytearray(blob)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match="changed|truncated|version|does not begin"):
            C.decompress(bytes(changed), small())


def test_every_missing_end_is_noticed():
    blob = C.compress(sparse(small, 0.4))
    for n in range(len(blob)):
        untouched(blob[:n], "truncated: ")
    untouched(blob + b"\0", "changed: 1 bytes more than the header says")


def resealed(blob, change):
    """A file whose checksum is right although its content was changed."""
    content = bytearray(blob[:-4])
    change(content)
    return bytes(content) + zlib.crc32(bytes(content)).to_bytes(4, "big")


def test_other_files_are_named():
    blob = C.compress(sparse(small, 0.4))
    untouched(b"PK\3\4" + blob, "not a compressed model: .*does not begin with b'LC'")
    untouched(resealed(blob, lambda c: c.__setitem__(2, 2 << 2)), "version 2, .* reads version 1")
    untouched(resealed(blob, lambda c: c.__setitem__(2, (1 << 2) + 3)), "changed: no coder 3")
    for make in (
        lambda: small(7),
        lambda: small().double(),
        lambda: nn.Sequential(*small(), nn.ReLU(), nn.Linear(3, 3)),
    ):
        untouched(blob, "another architecture", make)
    untouched("text", "expected the bytes of a file, got str")


def test_a_header_that_asks_for_too_much_allocates_nothing():
    huge = fileformat.MAGIC + bytes([4]) + b"ab" + fileformat._length(10**12)
    untouched(huge, "truncated: 1000000000004 of")
    untouched(huge[:5] + b"\xff" * 40, "truncated|changed")


@pytest.mark.parametrize("coder", CODERS)
@given(seed=seeds)
def test_nonsense_under_a_right_checksum_is_refused_or_read(coder, seed):
    """Whoever forges a checksum gets weights or a ValueError, nothing else."""
    rng = random.Random(seed)
    blob = C.compress(sparse(small, 0.4), coder=coder)

    def change(content):
        for _ in range(rng.randrange(1, 9)):
            content[rng.randrange(6, len(content))] = rng.randrange(256)

    model = trained(seed=5)
    before = [value.clone() for value in model.state_dict().values()]
    try:
        C.decompress(resealed(blob, change), model)
    except ValueError as error:
        assert "changed" in str(error)
        assert all(map(torch.equal, before, model.state_dict().values()))


def test_compress_refuses():
    for says, call in (
        ("coder must be one of arithmetic, huffman, raw, got 'zip'",
         lambda: C.compress(small(), coder="zip")),
        (r"density must be in \(0, 1\], .* got 0", lambda: C.compress(small(), density=0)),
        (r"density must be .* got 1.5", lambda: C.compress(small(), density=1.5)),
        (r"density must be .* got nan", lambda: C.compress(small(), density=math.nan)),
        ("no weight matrix to prune", lambda: C.compress(nn.ReLU(), density=0.5)),
        ("1 of 2 weights are nan", lambda: C.compress(Weights(1, math.nan), n_levels=2)),
        ("1 of 4 weights are nan", lambda: C.compress(Square(math.nan), density=0.5)),
        ("a complex tensor", lambda: C.compress(Odd([1j]))),
        ("n_levels must be", lambda: C.compress(small(), n_levels=0)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            call()


class Square(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[first, 1.0], [2.0, 3.0]]))


def known_model():
    """A file of this model must read the same on every machine and in every version."""
    model = small()
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            n = torch.arange(p.numel()).view(p.shape)
            p.copy_(((n * 7 + i) % 5 - 2) * ((n + i) % 3 == 0) * 0.25)
    return model


KNOWN = "4c4304652415924936e449f1da2f99ca02f4bcd31cf76c336de64a17164415"
