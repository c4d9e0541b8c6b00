"""Code lengths: what a sender pays, and that the receiver could decode it."""

from __future__ import annotations

import json
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from companion import codelength
from companion.codelength import (
    LEDGER_COLUMNS,
    Ledger,
    PrequentialCode,
    data_bits,
    prequential_bits,
    two_part_bits,
    uniform_bits,
)
from companion.compression import compress, decompress
from companion.data import Dataset
from companion.training import fit as companion_fit

CLASSES = tuple("abcd")
BLOCKS = (20, 50, 100, 200)


def clusters(n=200, seed=0, targets=None):
    """Four well separated clusters in the plane, or given labels on the same inputs."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, 4, (n,), generator=generator)
    centres = 3 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    inputs = centres[truth] + 0.5 * torch.randn(n, 2, generator=generator)
    return Dataset(inputs, truth if targets is None else targets, CLASSES, "clusters", "train")


def make_model():
    return nn.Linear(2, 4)


def cheap_fit(model, data, seed):
    companion_fit(model, data, epochs=15, lr=0.1, batch_size=50, seed=seed, progress=False)


def code(data, **kwargs):
    kwargs = {"blocks": BLOCKS, "fit": cheap_fit, "seed": 0} | kwargs
    return prequential_bits(make_model, data, **kwargs)


# ---- the simple codes --------------------------------------------------------------------------


def test_uniform_bits():
    assert uniform_bits(4000, 10) == pytest.approx(13287.712, abs=1e-3)
    assert uniform_bits(0, 10) == 0 and uniform_bits(7, 1) == 0 and uniform_bits(8, 2) == 8


def test_data_bits_are_the_summed_cross_entropy():
    logits, targets = torch.randn(50, 4), torch.arange(50) % 4
    expected = F.cross_entropy(logits, targets, reduction="sum").item() / math.log(2)
    assert data_bits(logits, targets) == pytest.approx(expected, rel=1e-5)
    assert data_bits(torch.zeros(50, 4), targets) == pytest.approx(uniform_bits(50, 4))


def test_data_bits_do_not_lose_digits_to_float32():
    logits = torch.tensor([[20.0, 0.0]]).repeat(4000, 1)
    assert data_bits(logits, torch.zeros(4000).long()) == pytest.approx(
        4000 * math.log1p(math.exp(-20)) / math.log(2), rel=1e-6
    )


def spoil(model):
    nn.init.constant_(model.weight, torch.nan)


def test_two_parts_are_the_file_and_the_labels():
    """The receiver of the file predicts as the sender did, so the labels cost what was counted."""
    torch.manual_seed(0)
    model, data = make_model(), clusters()
    cheap_fit(model, data, 0)
    plain = two_part_bits(model, data)
    assert plain.model_bits == 32 * (2 * 4 + 4)
    assert plain.data_bits == data_bits(model(data.inputs).detach(), data.targets)
    assert plain.total_bits == plain.model_bits + plain.data_bits
    blob = compress(model, n_levels=4)
    received = decompress(blob, make_model())
    code_of_file = two_part_bits(received, data, blob=blob)
    assert code_of_file.model_bits == 8 * len(blob)
    assert code_of_file.data_bits == data_bits(received(data.inputs).detach(), data.targets)
    assert two_part_bits(nn.BatchNorm1d(4), clusters_of_four()).model_bits == 32 * (4 * 4 + 1)


def clusters_of_four():
    data = clusters()
    return data.map(lambda x: torch.cat([x, -x], 1))


# ---- the prequential code ----------------------------------------------------------------------


def test_first_block_is_uniform_and_totals_add_up():
    found = code(clusters())
    assert found.ends == BLOCKS and found.n_classes == 4
    assert found.block_bits[0] == uniform_bits(20, 4)
    assert found.total_bits == pytest.approx(sum(found.block_bits))
    assert len(found.cumulative) == 4
    for i, bits in enumerate(found.cumulative):
        assert bits == pytest.approx(sum(found.block_bits[: i + 1]))


def test_learnable_labels_cost_less_than_uniform():
    found = code(clusters())
    assert found.total_bits < 0.35 * uniform_bits(200, 4)
    assert found.block_bits[-1] / 100 < found.block_bits[1] / 30  # later labels are cheaper


@pytest.mark.parametrize("seed", range(3))
def test_random_labels_cannot_be_compressed(seed):
    generator = torch.Generator().manual_seed(100 + seed)
    noise = clusters(targets=torch.randint(0, 4, (200,), generator=generator))
    assert code(noise).total_bits >= uniform_bits(200, 4) - 20


def test_the_floor_bounds_what_one_label_costs():
    """A model that is sure and wrong pays for it, but not without end."""
    sure = torch.tensor([[1000.0, 0, 0, 0]])
    assert codelength._coded(sure, torch.tensor([1])) == pytest.approx(math.log2(4 / 1e-4))
    assert 0 < codelength._coded(sure, torch.tensor([0])) < 2e-4


@given(seed=st.integers(0, 50))
def test_coded_bits_are_those_of_a_distribution(seed):
    """Kraft: over all labels, 2^-bits sums to one, so a receiver can decode."""
    logits = 10 * torch.randn(1, 6, generator=torch.Generator().manual_seed(seed))
    lengths = [codelength._coded(logits, torch.tensor([k])) for k in range(6)]
    assert sum(2**-bits for bits in lengths) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("temperature", [True, False])
def test_labels_not_yet_sent_change_nothing(temperature):
    data = clusters()
    before = code(data, temperature=temperature).block_bits
    for known in (50, 100):
        changed = data.targets.clone()
        changed[known:] = (changed[known:] + 1) % 4
        after = code(clusters(targets=changed), temperature=temperature).block_bits
        n_same = BLOCKS.index(known) + 1
        assert after[:n_same] == before[:n_same]
        assert after[n_same] != before[n_same]


def test_fit_only_ever_sees_the_past():
    seen, data = [], clusters()

    def spy(model, past, seed):
        seen.append((len(past), seed))
        assert torch.equal(past.inputs, data.inputs[: len(past)])
        assert torch.equal(past.targets, data.targets[: len(past)])

    code(data, fit=spy, seed=3, temperature=False)
    assert seen == [(20, 3), (50, 3), (100, 3)]
    seen.clear()
    code(data, fit=spy, seed=3)
    # With a temperature: nine tenths of the past first, then all of it.
    assert seen == [(18, 3), (20, 3), (45, 3), (50, 3), (90, 3), (100, 3)]


def test_every_block_gets_a_fresh_model():
    made = []

    def make():
        made.append(nn.Linear(2, 4))
        return made[-1]

    prequential_bits(make, clusters(), blocks=BLOCKS, fit=cheap_fit, seed=0, temperature=False)
    assert len(made) == 3


def test_sender_and_receiver_draw_the_same_weights():
    torch.manual_seed(123)
    a = code(clusters())
    torch.rand(5)
    assert code(clusters()).block_bits == a.block_bits
    assert code(clusters(), seed=1).block_bits != a.block_bits


def test_temperature_tames_an_overconfident_model():
    """Labels that are right three times out of four, a model that is always sure."""

    class Sure(nn.Module):
        def forward(self, x):
            return 40.0 * F.one_hot((x[:, 0] < 0) * 2 + (x[:, 1] < 0) * 1, 4)

    truth = clusters().targets
    noisy = torch.where(torch.arange(200) % 4 == 0, (truth + 1) % 4, truth)
    data = clusters(targets=noisy)

    def bits(temperature):
        return prequential_bits(
            Sure, data, blocks=BLOCKS, fit=lambda *a: None, seed=0, temperature=temperature
        ).total_bits

    assert bits(True) < uniform_bits(200, 4) < bits(False)


def test_one_label_is_too_few_for_a_temperature():
    found = code(clusters(), blocks=(1, 200))
    assert len(found.block_bits) == 2 and found.block_bits[0] == 2.0


def test_a_code_of_one_block_is_uniform():
    assert code(clusters(), blocks=[200]).total_bits == uniform_bits(200, 4)


def test_cumulative_is_kept_as_plain_numbers():
    found = PrequentialCode((1, 2, 3), (1.0, 2.0, 0.5), 4)
    assert found.cumulative == (1.0, 3.0, 3.5) and found.total_bits == 3.5
    assert json.dumps(found.cumulative)


# ---- the ledger --------------------------------------------------------------------------------


def row(**changes):
    plain = {
        "chapter": "02", "data": "mnist1d", "model": "cnn", "code": "prequential",
        "model_bits": 0, "data_bits": 5880.04, "seeds": [0], "command": "make notebooks",
    }  # fmt: skip
    return plain | changes


def test_ledger_adds_replaces_and_sorts(tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.add(row(model="mlp"))
    ledger.add(row())
    ledger.add(row(data_bits=5000))
    assert [(r["model"], r["data_bits"]) for r in ledger.rows()] == [("cnn", 5000), ("mlp", 5880)]
    ledger.add(row(chapter="01"))
    assert [r["chapter"] for r in ledger.rows()] == ["01", "02", "02"]


def test_ledger_rows_are_copies(tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    given = row()
    ledger.add(given)
    given["data_bits"] = ledger.rows()[0]["data_bits"] = 1
    assert ledger.rows()[0]["data_bits"] == 5880.0


def test_ledger_file_is_stable_and_read_again(tmp_path):
    path = tmp_path / "ledger.json"
    for order in ((row(), row(model="mlp")), (row(model="mlp"), row())):
        path.unlink(missing_ok=True)
        ledger = Ledger(path)
        for r in order:
            ledger.add(r)
        text = path.read_text()
        assert text.endswith("]\n") and list(json.loads(text)[0]) == list(LEDGER_COLUMNS)
        assert Ledger(path).rows() == ledger.rows()
    ledger.add(row())
    assert path.read_text() == text


def test_the_course_ledger_is_written_only_where_told(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPANION_COURSE", str(tmp_path))
    ledger = Ledger()
    ledger.add(row())
    assert len(ledger.rows()) == 1 and not (tmp_path / "ledger.json").exists()
    monkeypatch.setenv("COMPANION_LEDGER", "write")
    Ledger().add(row())
    assert len(json.loads((tmp_path / "ledger.json").read_text())) == 1


def test_ledger_figure_shows_one_data_set_and_the_uniform_code(tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    for r in (row(), row(model="elsewhere", data="mnist"), row(model="small", data_bits=9)):
        ledger.add(r)
    (ax,) = ledger.figure().axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["cnn (02)", "small (02)"]
    assert uniform_bits(4000, 10) in [line.get_xdata()[0] for line in ax.lines]


# ---- bad input ---------------------------------------------------------------------------------

INCREASING = "increasing end indices that finish at 200, got"


@pytest.mark.parametrize(
    ("says", "function"),
    [
        ("n >= 0 and n_classes >= 1, got n=-1", lambda: uniform_bits(-1, 10)),
        ("got n=1, n_classes=0", lambda: uniform_bits(1, 0)),
        ("blob is 1000, expected the bytes of a file",
         lambda: two_part_bits(make_model(), clusters(), blob=1000)),
        ("logits of 200 of 200 examples are nan or inf", lambda: two_part_bits(
            nn.BatchNorm1d(2).requires_grad_(False).apply(spoil), clusters())),
        ("1 of 3 labels lie outside 0 to 3.*start at 1",
         lambda: data_bits(torch.zeros(3, 4), torch.tensor([0, 3, 4]))),
        ("1 of 3 labels lie outside",  # torch leaves out label -100 without a word
         lambda: data_bits(torch.zeros(3, 4), torch.tensor([0, 3, -100]))),
        ("dtype torch.float32, expected torch.int64",
         lambda: data_bits(torch.zeros(3, 4), torch.zeros(3))),
        (r"logits \(3, 4\) and targets \(2,\) must be",
         lambda: data_bits(torch.zeros(3, 4), torch.zeros(2).long())),
        (r"logits \(3,\) and targets \(3,\)",
         lambda: data_bits(torch.zeros(3), torch.zeros(3).long())),
        ("logits of 1 of 2 examples are nan or inf.*learning rate",
         lambda: data_bits(torch.tensor([[0.0, 1], [0, torch.nan]]), torch.zeros(2).long())),
        ("logits of 1 of 2 examples are nan or inf",
         lambda: data_bits(torch.tensor([[0.0, 1], [0, torch.inf]]), torch.zeros(2).long())),
        ("50 of 200 labels lie outside 0 to 3",
         lambda: code(clusters(targets=torch.arange(200) % 4 + 1))),
        (r"labels lie outside 0 to 1, .*too few outputs", lambda: prequential_bits(
            lambda: nn.Linear(2, 2), clusters(), blocks=BLOCKS, fit=lambda *a: None, seed=0)),
        (INCREASING, lambda: code(clusters(), blocks=())),
        (INCREASING, lambda: code(clusters(), blocks=(50, 100))),
        (INCREASING, lambda: code(clusters(), blocks=(0, 200))),
        (INCREASING, lambda: code(clusters(), blocks=(100, 50, 200))),
        (INCREASING, lambda: code(clusters(), blocks=(50, 50, 200))),
        (INCREASING, lambda: code(clusters(), blocks=(50, 300))),
    ],
)  # fmt: skip
def test_bad_input_says_what_came_and_what_was_expected(says, function):
    with pytest.raises(ValueError, match=says):
        function()


@pytest.mark.parametrize("temperature", [True, False])
def test_a_model_that_gives_nan_is_named(temperature):
    def destroy(model, past, seed):
        nn.init.constant_(model.weight, torch.nan)

    with pytest.raises(ValueError, match="nan or inf, which gives no code length.*diverged"):
        code(clusters(), fit=destroy, temperature=temperature)


def test_an_impossible_label_costs_infinitely_many_bits():
    """-inf is a logit like others: probability 0, and no error where another label came."""
    logits = torch.tensor([[0.0, -torch.inf]])
    assert data_bits(logits, torch.tensor([0])) == 0
    assert data_bits(logits, torch.tensor([1])) == math.inf
    assert data_bits(torch.zeros(0, 4), torch.zeros(0).long()) == 0


@pytest.mark.parametrize(
    ("says", "bad"),
    [
        ("has the columns chapter, data", {k: v for k, v in row().items() if k != "seeds"}),
        ("got .*author", row(author="x")),
        ("data_bits must be a finite number of bits >= 0, got -1", row(data_bits=-1)),
        ("data_bits must be a finite number", row(data_bits=math.nan)),
        ("model_bits must be a finite number", row(model_bits=math.inf)),
        ("model_bits must be .*None", row(model_bits=None)),
        ("data_bits must be .*many", row(data_bits="many")),
    ],
)
def test_a_bad_row_is_refused_and_nothing_is_written(says, bad, tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    with pytest.raises(ValueError, match=says):
        ledger.add(bad)
    assert ledger.rows() == [] and not (tmp_path / "ledger.json").exists()


def test_a_damaged_ledger_is_named(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text('[{"chapter":')
    with pytest.raises(ValueError, match=r"ledger\.json"):
        Ledger(path)
