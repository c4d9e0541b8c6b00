"""Chapter 06's explorables without a browser: their laws, their corners, what their presets say."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from companion import models
from companion.data import load
from companion.explanation import (
    deletion_curve,
    fidelity,
    flip_split,
    grow_tree,
    guided_backpropagation,
    integrated_gradients,
    saliency,
    trustworthiness,
    with_split,
)
from companion.explorables import explanation as explore
from companion.explorables import lie_detector as lie_module
from companion.explorables import map_honesty as map_module
from companion.explorables import map_store, tree_store, walks
from companion.explorables import tree_surgeon as tree_module
from companion.explorables.explanation import (
    compute_lie_detector,
    compute_map_honesty,
    compute_tree_surgeon,
)
from companion.explorables.view import front_end
from companion.storage import precomputed
from tools import precompute_06_explorables as tool

MAPS = precomputed("06", "map_honesty")
TREES = precomputed("06", "tree_surgeon")
PATIENT = tree_module.stored_patient()
WALKS = walks.Walks(walks.stored_network(), walks.stored_images())
MAP_PRESETS, TREE_PRESETS, LIE_PRESETS = (
    {p["name"]: p["state"] for p in module.PRESETS}
    for module in (map_module, tree_module, lie_module)
)


def maps(**changes: Any) -> dict[str, Any]:
    return compute_map_honesty(MAPS, **{**map_module.OPENING, **changes})


def surgeon(patient: Any = PATIENT, **changes: Any) -> dict[str, Any]:
    return compute_tree_surgeon(patient, **{**tree_module.OPENING, **changes})


def lie(engine: walks.Walks = WALKS, **changes: Any) -> dict[str, Any]:
    return compute_lie_detector(engine, **{**lie_module.OPENING, **changes})


# ---- the map honesty bench ----------------------------------------------------------------------


def test_twelve_bits_a_coordinate_come_back():
    y = torch.randn(250, 2, generator=torch.Generator().manual_seed(0))
    found = map_store.unpacked_points(map_store.packed_points(y))
    assert found.min() == 0 and found.max() == map_store.LARGEST
    scale = (y - y.amin(0)).amax().item() / map_store.LARGEST
    assert np.abs(found * scale - (y - y.amin(0)).numpy()).max() <= 0.51 * scale
    rows = torch.arange(250).view(-1, 5)
    assert (map_store.unpacked_bytes(map_store.packed_bytes(rows), 5) == rows.numpy()).all()


def test_a_map_without_extent_is_stored():
    assert not map_store.unpacked_points(map_store.packed_points(torch.ones(4, 2))).any()


@pytest.mark.parametrize("key", ["digits|30|pca|750", "noise|2|1|10", "blobs|30|0|750"])
def test_the_stored_number_is_that_of_the_stored_map(key):
    x, _ = tool.clouds()[key.split("|")[0]]
    y = torch.from_numpy(map_store.unpacked_points(MAPS["positions"][key])).double()
    found = trustworthiness(x.double(), y, k=map_store.N_NEIGHBOURS)
    assert found == pytest.approx(MAPS["trustworthiness"][key], abs=5e-3)


@pytest.mark.parametrize("data", map_module.DATA)
def test_lines_lead_to_the_true_neighbours(data):
    x, labels = tool.clouds()[data]
    distances = torch.cdist(x.double(), x.double()).fill_diagonal_(math.inf)
    for point in (0, 7, 249):
        shown = maps(data=data, point=point)["maps"][0]
        assert shown["neighbours"] == distances[point].argsort()[:5].tolist()
        assert shown["labels"][point] == str(labels[point].item())


def test_ranks_are_counted_on_paper():
    answer = maps(point=11)
    for shown in answer["maps"]:
        y = np.array(shown["places"]).reshape(-1, 2)
        for other, rank in zip(shown["neighbours"], shown["ranks"], strict=True):
            gaps = ((y - y[11]) ** 2).sum(1)
            closer = (gaps < gaps[other]).sum() - (gaps[other] > 0)  # the point itself is closer
            assert rank == closer + 1


def test_false_neighbours_add_up_to_the_mean():
    for shown in maps()["maps"]:
        kept = [map_store.N_NEIGHBOURS - int(sign) for sign in shown["doubt"]]
        assert sum(kept) / len(kept) == pytest.approx(shown["kept"], abs=0.051)


def test_what_stands_beside():
    assert [m["data"] for m in maps(beside="noise")["maps"]] == ["digits", "noise"]
    first, second = maps(beside="start", start="1")["maps"]
    assert (first["data"], second["data"]) == ("digits", "digits")
    assert (first["start"], second["start"]) == ("random, seed 1", "PCA")
    first, second = maps(data="noise", beside="noise", start="pca")["maps"]
    assert first["data"] == second["data"] == "noise" and first["start"] != second["start"]


def clumpiness(shown: dict[str, Any]) -> float:
    """How near the nearest point is, beside what it is in a map strewn evenly over a disc."""
    y = np.array(shown["places"], float).reshape(-1, 2)
    gaps = np.sqrt(((y[:, None] - y[None]) ** 2).sum(2))
    np.fill_diagonal(gaps, np.inf)
    y = y - y.mean(0)
    radius = np.sqrt(2 * (y**2).sum(1).mean())
    return float(0.5 * radius * math.sqrt(math.pi / len(y)) / np.median(gaps.min(1)))


def arrangement(*shown: dict[str, Any]) -> float:
    """How well the distances between the ten groups of two maps correlate."""
    gaps = []
    for one in shown:
        y = np.array(one["places"]).reshape(-1, 2)
        of = np.array([int(sign) for sign in one["labels"]])
        centre = np.array([y[of == digit].mean(0) for digit in range(10)])
        apart = np.sqrt(((centre[:, None] - centre[None]) ** 2).sum(2))
        gaps.append(apart[np.triu_indices(10, 1)])
    return float(np.corrcoef(*gaps)[0, 1])


def test_what_the_presets_of_the_bench_say_is_so():
    ends = {name: maps(**state) for name, state in MAP_PRESETS.items()}

    def trust(name: str) -> tuple[float, float]:
        first, second = ends[name]["maps"]
        return first["trustworthiness"], second["trustworthiness"]

    well = ends["digits well mapped"]["maps"]
    assert trust("digits well mapped")[0] > 0.98 > trust("digits well mapped")[1] + 0.15
    assert 0.25 < 1 - well[0]["kept"] / 5 < 0.35

    assert trust("too early")[0] < trust("digits well mapped")[0] - 0.05

    small, noise = ends["perplexity too small"]["maps"]
    assert clumpiness(small) > 1.7 and clumpiness(noise) > 1.7
    assert clumpiness(noise) > 1.8 * clumpiness(maps(data="noise")["maps"][0])

    first, second = ends["another seed"]["maps"]
    assert abs(first["trustworthiness"] - second["trustworthiness"]) < 0.01
    assert arrangement(first, second) < 0.4
    assert arrangement(*maps(start="0", beside="start", perplexity=80)["maps"]) > 0.9

    first, second = ends["noise"]["maps"]
    assert all(0.65 < 1 - m["kept"] / 5 < 0.75 for m in (first, second))
    even = clumpiness(maps(data="noise")["maps"][0])
    assert min(clumpiness(first), clumpiness(second)) > 1.2 * even


@given(
    data=st.sampled_from(list(map_module.DATA)),
    perplexity=st.sampled_from(MAPS["perplexities"]),
    start=st.sampled_from(list(map_module.STARTS)),
    n_iterations=st.sampled_from(MAPS["iterations"]),
    beside=st.sampled_from(list(map_module.BESIDE)),
    colour=st.sampled_from(list(map_module.COLOURS)),
    point=st.integers(0, MAPS["n_points"] - 1),
)
@settings(deadline=None, max_examples=40)
def test_the_bench_answers_everywhere(**state):
    answer = compute_map_honesty(MAPS, **state)
    json.dumps(answer, allow_nan=False)
    assert "nan" not in answer["text"] and "\n" not in answer["text"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "cats"}, "no data 'cats': expected one of digits, noise, blobs"),
        ({"perplexity": 31}, "no perplexity 31: expected one of 2, 5, 15, 30, 80"),
        ({"perplexity": True}, "no perplexity True"),
        ({"start": 0}, "no start 0: expected one of pca, 0, 1"),
        ({"n_iterations": math.nan}, "no n_iterations nan"),
        ({"beside": "pca"}, "no beside 'pca'"),
        ({"colour": "red"}, "no colour 'red'"),
        ({"point": 250}, "point must be an integer in 0 ... 249, got 250"),
        ({"point": -1}, "point must be an integer"),
        ({"point": 1.0}, "point must be an integer"),
    ],
)
def test_the_bench_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        maps(**changes)
    assert "\n" not in str(refusal.value)


# ---- the tree surgeon ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> tuple[Any, torch.Tensor, torch.Tensor]:
    """A tree of the library on the labels themselves, its inputs and labels."""
    data = load("digits", split="test")
    x = data.inputs.flatten(1)
    return grow_tree(x, data.targets, n_classes=10, max_depth=6), x, data.targets


def test_plain_arrays_are_the_librarys_tree(small):
    tree, x, _ = small
    kept = tree_store.unpacked_tree(tree_store.packed_tree(tree_store.grown(tree)))
    rows = x.numpy()
    for depth in (1, 3, 6):
        cut = tree.cut(max_depth=depth)
        nodes = kept.trace(rows, depth)[-1]
        assert (kept.label[nodes] == cut.predict(x).numpy()).all()
        assert kept.n_leaves(depth) == cut.n_leaves == kept.ends(0, depth)
    assert (kept.depths == tree.depths.numpy()).all()
    assert kept.above(int(kept.trace(rows[:1], 6)[-1, 0])) == tree.path(x[0])


def test_the_knife_does_what_the_librarys_does(small):
    tree, x, y = small
    kept, rows = tree_store.grown(tree), x.numpy()
    node = int(tree.left[0])
    turned = kept.changed([node], {})
    assert (turned.trace(rows, 6)[-1] == flip_split(tree, node, x, y).apply(x).numpy()).all()
    moved = kept.changed([], {node: 0.25})
    expected = with_split(tree, node, int(tree.feature[node]), 0.25, x, y).apply(x)
    assert (moved.trace(rows, 6)[-1] == expected.numpy()).all()
    assert (kept.left == tree.left.numpy()).all()  # the first tree is as it was


def test_fidelity_is_the_librarys():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()
    patient = tree_module.patient_of(model)
    x = load("digits", split="test").inputs
    from companion.explanation import surrogate_tree

    train = load("digits").inputs
    for depth in (2, 7):
        tree = surrogate_tree(
            model, train, max_depth=depth, step=1 / 16, generator=torch.Generator().manual_seed(0)
        )
        expected = fidelity(tree, model, x)
        found = surgeon(patient, depth=depth, n_queries=0)
        assert found["fidelity"] == pytest.approx(expected, abs=0.012)  # ties may fall otherwise
        assert abs(found["n_leaves"] - tree.n_leaves) <= 2


def test_stored_fidelities_are_what_is_drawn():
    for n_queries, stored in TREES["fidelity"].items():
        drawn = surgeon(n_queries=int(n_queries))["curves"][n_queries]["fidelity"]
        assert drawn == pytest.approx(stored[1:], abs=6e-4)


@pytest.mark.parametrize("n_queries", tree_module.N_QUERIES)
@pytest.mark.parametrize("case", [0, 3, 39])
def test_the_way_of_a_digit_keeps_its_own_rule(n_queries, case):
    for depth in (1, 5, 12):
        data = surgeon(n_queries=n_queries, case=case, depth=depth)
        image = np.array(data["image"])
        assert len(data["limits"]) <= depth
        for pixel, low, high in data["limits"]:
            assert (low is None or image[pixel] > low) and (high is None or image[pixel] <= high)
        assert data["label"] == data["case_says"] and not data["is_split"]
        assert data["n_arrived"] >= 1


def test_all_images_arrive_at_one_level_of_nodes():
    for depth in (1, 4, 8):
        ends = PATIENT.tree(2_000)
        level = [
            node for node in range(len(ends.feature))
            if ends.depths[node] == depth or (ends.depths[node] < depth and ends.feature[node] < 0)
        ]  # fmt: skip
        rows = [surgeon(n_queries=2_000, depth=depth, node=node) for node in level]
        assert sum(row["n_arrived"] for row in rows) == len(PATIENT.said)
        right = sum(row["n_same"] for row in rows)
        assert right / len(PATIENT.said) == pytest.approx(rows[0]["fidelity"], abs=1e-4)


def test_two_turns_are_none_and_a_node_below_the_end_means_the_end():
    assert surgeon(swapped=[0, 0], node=0)["fidelity"] == surgeon(swapped=[0], node=0)["fidelity"]
    plain = surgeon(node=0)
    assert plain["n_operations"] == 0 and plain["fidelity"] == plain["fidelity_before"]
    here = int(PATIENT.tree(0).threshold[0] * 16 * 2) / 2
    assert surgeon(node=0, moved=[[0, here]])["fidelity"] == plain["fidelity"]
    deep = int(np.argmax(PATIENT.tree(0).depths))
    data = surgeon(node=deep, depth=2)
    assert PATIENT.tree(0).depths[data["selected"]] == 2


def test_the_window_follows_into_the_depth():
    deep = int(np.argmax(PATIENT.tree(0).depths))
    data = surgeon(node=deep, depth=12)
    assert data["root_depth"] == 12 - tree_module.N_DRAWN + 1
    assert {row["id"] for row in data["nodes"]} >= {deep, data["parent"]}
    assert max(row["level"] for row in data["nodes"]) <= tree_module.N_DRAWN


def test_what_the_presets_of_the_surgeon_say_is_so():
    ends = {name: surgeon(**state) for name, state in TREE_PRESETS.items()}
    readable = ends["readable"]
    assert readable["n_leaves"] == 8 and 0.4 < readable["fidelity"] < 0.6
    deep = ends["deep"]
    seven = deep["curves"]["0"]["fidelity"][6]
    assert 0.8 < deep["fidelity"] < seven + 0.03
    asked = ends["deep with queries"]
    assert asked["fidelity"] > deep["fidelity"] + 0.04 and 0.88 < asked["fidelity"] < 0.94
    assert 900 < asked["n_leaves"] < 1000
    flipped = ends["a flipped split"]
    assert flipped["n_leaves"] == 32 and flipped["n_operations"] == 1
    assert flipped["fidelity"] < flipped["fidelity_before"] - 0.08
    tree = PATIENT.tree(2_000)
    falls = {
        level: np.mean(
            [
                1 - surgeon(n_queries=2_000, depth=5, node=int(at), swapped=[int(at)])["fidelity"]
                for at in np.nonzero((tree.depths == level) & (tree.feature >= 0))[0]
            ]
        )
        for level in (0, 2, 4)
    }
    assert falls[0] > falls[2] > falls[4]


@given(
    n_queries=st.sampled_from(tree_module.N_QUERIES),
    depth=st.integers(1, 12),
    axis=st.sampled_from(list(tree_module.AXES)),
    case=st.integers(0, tree_module.N_CASES - 1),
    pick=st.integers(0, 10_000),
    level=st.integers(0, 32),
)
@settings(deadline=None, max_examples=40)
def test_the_surgeon_answers_everywhere(n_queries, depth, axis, case, pick, level):
    tree = PATIENT.tree(n_queries)
    splits = np.nonzero(tree.feature >= 0)[0]
    at = int(splits[pick % len(splits)])
    data = surgeon(
        n_queries=n_queries, depth=depth, axis=axis, case=case, node=pick % len(tree.feature),
        swapped=[at], moved=[[at, level / 2]],
    )  # fmt: skip
    json.dumps(data, allow_nan=False)
    assert "nan" not in data["text"] + data["words"] and 0 <= data["fidelity"] <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_queries": 100}, "no n_queries 100: expected one of 0, 2000, 20000"),
        ({"n_queries": False}, "no n_queries False"),
        ({"depth": 0}, "depth must be an integer in 1 ... 12, got 0"),
        ({"depth": 13}, "depth must be an integer"),
        ({"depth": math.nan}, "depth must be an integer"),
        ({"axis": "bits"}, "no axis 'bits'"),
        ({"case": 40}, "case must be an integer in 0 ... 39"),
        ({"node": 100_000}, "node must be an integer in -1 ... 270, got 100000"),
        ({"node": True}, "node must be an integer"),
        ({"swapped": [270]}, "no split 270 in this tree"),
        ({"swapped": [-1]}, "no split -1 in this tree"),
        ({"moved": [[0, 17]]}, "a threshold is a level of ink in 0 ... 16, got 17"),
        ({"moved": [[0, math.nan]]}, "a threshold is a level of ink"),
    ],
)
def test_the_surgeon_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        surgeon(**changes)
    assert "\n" not in str(refusal.value)


def test_a_readers_network_is_operated_on():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), *models.mlp(64, 100)).eval()
    widget = explore.tree_surgeon(model=model)
    assert "error" not in widget.data
    widget.state = {**widget.state, "n_queries": 2_000, "turn": "1"}
    assert widget.data["settings"]["n_queries"] == 2_000
    with pytest.raises(ValueError, match="model must be a network"):
        explore.tree_surgeon(model=3)


# ---- the lie detector ---------------------------------------------------------------------------


def test_the_stored_network_is_the_one_that_was_measured():
    from companion.explorables.dropout_committee import split_mnist
    from companion.training import predict

    stored, held_out = precomputed("06", "lie_detector"), split_mnist()[1]
    model = walks.stored_network()
    is_right = predict(model, held_out.inputs).argmax(1) == held_out.targets
    assert is_right.float().mean().item() == pytest.approx(stored["accuracy"], abs=0.003)
    assert models.n_parameters(model) == stored["n_parameters"]


@pytest.mark.parametrize("baseline", walks.BASELINES)
@pytest.mark.parametrize("n_steps", [1, 8, 64])
def test_the_whole_way_is_the_librarys_integrated_gradients(baseline, n_steps):
    model, image = WALKS.networks["trained"], 4
    x, start = WALKS.images[4:5], WALKS.baseline(image, baseline)
    expected = integrated_gradients(
        model, x, 2, baseline=start, n_steps=n_steps, method="riemann_middle"
    )[0, 0]
    found = WALKS.collected("trained", image, baseline, 2, n_steps, 1.0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_half_a_step_collects_half_of_it():
    whole = WALKS.collected("trained", 4, "black", 2, 1, 1.0)
    torch.testing.assert_close(WALKS.collected("trained", 4, "black", 2, 1, 0.25), whole / 4)
    assert not WALKS.collected("trained", 4, "black", 2, 8, 0.0).any()


@pytest.mark.parametrize("network", walks.NETWORKS)
def test_other_methods_are_the_librarys_at_that_place(network):
    model = WALKS.networks[network]
    x = WALKS.point(3, "mean", torch.tensor([0.4]))
    settings_ = (network, 3, "mean", 1, 16, 0.4)
    gradient = saliency(model, x, 1)[0, 0]
    torch.testing.assert_close(WALKS.attribution("gradient", *settings_), gradient)
    torch.testing.assert_close(WALKS.attribution("product", *settings_), gradient * x[0, 0])
    guided = guided_backpropagation(model, x, 1)[0, 0]
    torch.testing.assert_close(WALKS.attribution("guided", *settings_), guided)


def test_only_the_last_layer_is_random():
    trained, random = (dict(WALKS.networks[n].named_parameters()) for n in walks.NETWORKS)
    same = [name for name in trained if torch.equal(trained[name], random[name])]
    assert set(trained) - set(same) == {"9.weight", "9.bias"}


def test_meter_and_curves_agree_with_the_network():
    for state in LIE_PRESETS.values():
        data = lie(**state)
        assert data["rise"] == pytest.approx(data["risen"][-1], abs=0.01)
        if data["settings"]["is_integrated"]:
            assert data["steps"][-1] == pytest.approx(data["sum"], abs=0.01)
        assert len(data["steps"]) == data["settings"]["n_steps"] + 1
        assert data["deletion"][0] == data["random"][0] == data["probability"]
        assert data["deletion"][-1] == pytest.approx(data["random"][-1], abs=2e-3)
        x = WALKS.images[state["image"] : state["image"] + 1]
        model = WALKS.networks[state["network"]]
        chosen = data["target"]
        _, _, area = deletion_curve(
            model, x, chosen,
            WALKS.attribution(
                state["method"], state["network"], state["image"], state["baseline"], chosen,
                state["n_steps"], 1.0,
            )[None, None],
            n_steps=walks.N_DELETIONS,
        )  # fmt: skip
        assert data["area"] == pytest.approx(area, abs=1e-3)


def test_what_the_presets_of_the_detector_say_is_so():
    ends = {name: lie(**state) for name, state in LIE_PRESETS.items()}
    fair = ends["a fair walk"]
    assert abs(fair["sum"] - fair["rise"]) < 0.01 * fair["rise"]
    assert abs(fair["correlation"]) < 0.15
    assert fair["area"] < 0.1 < fair["random_area"] - 0.3 and fair["probability"] > 0.9

    white = ends["baseline white"]
    assert abs(white["sum"] - white["rise"]) < 0.01 * white["rise"]
    assert white["area"] > white["random_area"]
    ink = np.array(white["picture"]) > 0
    assert (
        np.abs(np.array(white["map"]))[~ink].sum() > 3 * np.abs(np.array(white["map"]))[ink].sum()
    )

    few = ends["too few steps"]
    assert abs(few["sum"] - few["rise"]) > 0.04 * few["rise"]
    alike = np.corrcoef(np.ravel(few["map"]), np.ravel(fair["map"]))[0, 1]
    assert alike > 0.9

    random = ends["the random network"]
    assert random["correlation"] > 0.6 and random["settings"]["network"] == "random"

    wrong = ends["the wrong class"]
    assert wrong["answer"] == 9 and wrong["target"] == 4 and wrong["probability"] < 0.05
    assert wrong["sum"] > 2 and abs(wrong["sum"] - wrong["rise"]) < 0.05


@given(
    image=st.integers(0, 19),
    method=st.sampled_from(list(lie_module.METHODS)),
    baseline=st.sampled_from(list(walks.BASELINES)),
    n_steps=st.sampled_from(lie_module.STEPS),
    share=st.integers(0, 100),
    network=st.sampled_from(list(walks.NETWORKS)),
    target=st.integers(-1, 9),
)
@settings(deadline=None, max_examples=40)
def test_the_detector_answers_everywhere(**state):
    data = compute_lie_detector(WALKS, **state)
    json.dumps(data, allow_nan=False)
    assert "nan" not in data["text"]
    assert np.abs(np.array(data["map"])).max() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "lime"}, "no method 'lime': expected one of integrated, gradient"),
        ({"baseline": "grey"}, "no baseline 'grey': expected one of black, white, mean, blurred"),
        ({"n_steps": 3}, "no n_steps 3: expected one of 1, 2, 4, 8, 16, 32, 64"),
        ({"n_steps": True}, "no n_steps True"),
        ({"network": "none"}, "no network 'none'"),
        ({"share": 101}, "share must be an integer in 0 ... 100, got 101"),
        ({"share": math.nan}, "share must be an integer"),
        ({"image": 20}, "image must be an integer in 0 ... 19"),
        ({"target": 10}, "target must be an integer in -1 ... 9"),
        ({"target": False}, "target must be an integer"),
    ],
)
def test_the_detector_refuses_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as refusal:
        lie(**changes)
    assert "\n" not in str(refusal.value)


def test_a_readers_network_and_images_are_explained():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
    images = load("mnist", split="test").inputs[:3]
    widget = explore.lie_detector(model=model, images=images)
    assert "error" not in widget.data and widget.setup["n_images"] == 3
    for preset in widget.setup["presets"]:
        widget.state = {**widget.state, **preset["state"]}
        assert "error" not in widget.data
    with pytest.raises(ValueError, match="expected \\(n, 1, 28, 28\\)"):
        explore.lie_detector(images=images[0])
    with pytest.raises(ValueError, match="must be an nn.Module"):
        explore.lie_detector(model=len)


# ---- what all three share -----------------------------------------------------------------------

NAMES = ("map_honesty", "tree_surgeon", "lie_detector")


@pytest.fixture(params=NAMES)
def make(request):
    return getattr(explore, request.param)


def test_bundle_carries_the_widget_and_a_picture(make):
    bundle, metadata = make()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == metadata["image/png"]["alt"]
    again, _ = make()._repr_mimebundle_()
    assert again["image/png"] == bundle["image/png"]


def test_alt_texts_say_what_the_opening_shows():
    alt = explore.map_honesty()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("Two t-SNE maps of 250 points at perplexity 30")
    alt = explore.tree_surgeon()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("A tree of 3 levels of questions about pixels of a digit")
    alt = explore.lie_detector()._repr_mimebundle_()[0]["text/plain"]
    assert alt.startswith("A handwritten 9, and beside it the pixels that speak for it")


def test_the_picture_stays_that_of_the_opening_state(make):
    widget, untouched = make(), make()
    widget.state = {**widget.state, **widget.setup["presets"][2]["state"], "turn": "1"}
    bundle, _ = widget._repr_mimebundle_()
    assert bundle["image/png"] == untouched._repr_mimebundle_()[0]["image/png"]


def test_state_and_data_are_plain(make):
    widget = make()
    for trait in (widget.setup, widget.state, widget.data):
        json.dumps(trait, allow_nan=False)


def test_a_bad_state_is_one_line_and_the_next_good_one_works(make):
    widget = make()
    good = dict(widget.state)
    widget.state = {**good, "turn": "1", "no_such_control": 3}
    assert widget.data["turn"] == "1"
    assert widget.data["error"].startswith("TypeError: ") and "\n" not in widget.data["error"]
    widget.state = {**good, "turn": "2"}
    assert "error" not in widget.data and widget.data["turn"] == "2"


def test_every_preset_is_a_state_of_the_widget(make):
    widget = make()
    assert 3 <= len(widget.setup["presets"]) <= 5
    for preset in widget.setup["presets"]:
        assert set(widget.state) - set(preset["state"]) <= {"point", "case"}
        assert preset["point"].endswith(".")
        widget.state = {**widget.state, **preset["state"]}
        assert "error" not in widget.data


@pytest.mark.parametrize("name", NAMES)
def test_front_ends_need_nothing_from_elsewhere(name):
    text = front_end(name)
    assert "import " not in text
    assert text.count("http") == 1  # the name of the SVG namespace
    assert text.count("export default") == 1


def test_missing_store_is_named(make, tmp_path, monkeypatch):
    walks.stored_network.cache_clear()
    monkeypatch.setenv("COMPANION_COURSE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no stored result"):
        make()
