"""Trees, surrogates, rules, drawings, soft trees and their bits, against oracles and laws."""

from __future__ import annotations

import itertools
import json
import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from companion import explanation as ex
from companion.data import load

seeds = st.integers(0, 99)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(seed=0, n=60, d=4, k=3, step=None):
    """Inputs and the answers of a random net; `step` makes values that repeat."""
    x = torch.randn(n, d, generator=seeded(seed))
    if step:
        x = (x / step).round() * step
    weight = torch.randn(d, k, generator=seeded(seed + 1000))
    return x, lambda rows: torch.tanh(2 * rows.flatten(1) ** 3) @ weight + rows.flatten(1) @ weight


def labels_of(model, x):
    return model(x).argmax(1)


@given(seed=seeds, n=st.integers(2, 80), step=st.sampled_from([None, 0.5]),
       leaves=st.sampled_from([None, 2, 5]))  # fmt: skip
def test_the_copy_predicts_what_scikit_learn_predicts(seed, n, step, leaves):
    x, model = problem(seed, n, step=step)
    y = labels_of(model, x)
    tree = ex.grow_tree(x, y, n_classes=3, max_leaves=leaves)
    peer = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(x.numpy(), y.numpy())
    more = torch.cat([x, torch.randn(200, 4, generator=seeded(seed + 1))])
    assert tree.predict(more).tolist() == peer.predict(more.numpy()).tolist()
    assert tree.apply(more).tolist() == peer.apply(more.numpy()).tolist()
    assert (tree.depth, tree.n_leaves) == (peer.get_depth(), peer.get_n_leaves())
    assert int(tree.counts[0].sum()) == n
    assert torch.equal(tree.counts, ex.recount(tree, x, y).counts)


def test_a_threshold_between_neighbouring_floats_keeps_them_apart():
    low = torch.tensor(1000.0)
    high = torch.nextafter(low, torch.tensor(2000.0))
    x, y = torch.stack([low, high])[:, None], torch.tensor([0, 1])
    assert ex.grow_tree(x, y).predict(x).tolist() == [0, 1]


@given(seed=seeds, n=st.integers(2, 60), step=st.sampled_from([None, 0.25, 1.0]))
def test_best_split_is_the_best_of_all(seed, n, step):
    x, model = problem(seed, n, step=step)
    y = labels_of(model, x)

    def impurity(labels):
        shares = torch.bincount(labels, minlength=3).double() / len(labels)
        return 1 - shares.square().sum().item()

    def gain(feature, threshold):
        left = x[:, feature].double() <= threshold
        parts = [part for part in (y[left], y[~left]) if len(part)]
        return impurity(y) - sum(len(part) / n * impurity(part) for part in parts)

    found = ex.best_split(x, y)
    every = [
        gain(feature, (a + b) / 2)
        for feature in range(4)
        for a, b in itertools.pairwise(x[:, feature].unique().double().tolist())
    ]
    assert found.gain == pytest.approx(max(every), abs=1e-12)
    assert gain(found.feature, found.threshold) == pytest.approx(found.gain, abs=1e-12)


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_best_split_is_scikit_learns_first(name):
    data = load(name)
    feature, threshold, gain = ex.best_split(data.inputs, data.targets)
    peer = DecisionTreeClassifier(max_depth=1, random_state=0).fit(
        data.inputs.flatten(1).numpy(), data.targets.numpy()
    )
    assert (feature, threshold) == (peer.tree_.feature[0], pytest.approx(peer.tree_.threshold[0]))
    children = peer.tree_.impurity[1:] * peer.tree_.n_node_samples[1:] / len(data)
    assert gain == pytest.approx(peer.tree_.impurity[0] - children.sum(), abs=1e-12)


@given(seed=seeds, step=st.sampled_from([None, 0.5]))
def test_fidelity_on_its_own_queries_rises_with_depth_up_to_one(seed, step):
    x, model = problem(seed, step=step)
    tree = ex.surrogate_tree(model, x)
    scores = [ex.fidelity(tree.cut(max_depth=d), model, x) for d in range(tree.depth + 1)]
    assert scores == sorted(scores) and scores[-1] == 1.0
    assert tree.cut(max_depth=2).depth == min(2, tree.depth)


@given(seed=seeds)
def test_cutting_a_tree_is_growing_it_smaller(seed):
    x, model = problem(seed, n=200)
    y = labels_of(model, x)
    tall = ex.grow_tree(x, y, max_leaves=30)
    for leaves in (1, 2, 7, 15):
        cut, grown = tall.cut(max_leaves=leaves), ex.grow_tree(x, y, max_leaves=leaves)
        assert cut.n_leaves == grown.n_leaves <= leaves
        assert torch.equal(cut.predict(x), grown.predict(x))
    assert torch.equal(tall.cut(max_depth=99).feature, tall.feature)


def test_a_depth_first_tree_has_no_best_leaves():
    x, model = problem(3, n=200)
    with pytest.raises(ValueError, match="grown depth first"):
        ex.grow_tree(x, labels_of(model, x)).cut(max_leaves=5)


@given(seed=seeds, step=st.sampled_from([None, 0.5]))
def test_rules_partition_the_space(seed, step):
    """Read from the words alone, each input meets one rule, whose class is the tree's."""
    x, model = problem(seed, step=step)
    tree = ex.grow_tree(x, labels_of(model, x), n_classes=3, max_depth=5)
    tree = replace(tree, threshold=tree.threshold.mul(8).round().div(8))  # exact in four digits
    rules = ex.tree_rules(tree, class_names=["zero", "one", "two"])
    assert len(rules) == tree.n_leaves
    points = torch.randn(100, 4, generator=seeded(seed + 1)) * 2
    said = tree.predict(points)
    for point, label in zip(points.tolist(), said.tolist(), strict=True):
        met = [rule for rule in rules if _meets(rule, point)]
        assert len(met) == 1
        assert re.search(r"(zero|one|two) \(", met[0])[1] == ("zero", "one", "two")[label]


def _meets(rule, point):
    for part in rule.removeprefix("If ").split(", then ")[0].split(", and "):
        feature = int(part.split()[1])
        for side, at in re.findall(r"(above|at most) (-?[\d.e-]+)", part):
            if (point[feature] > float(at)) != (side == "above"):
                return False
    return True


def test_rules_merge_what_is_asked_of_one_feature():
    x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    tree = ex.grow_tree(x, torch.tensor([0, 1, 1, 0]))
    assert ex.tree_rules(tree, feature_names=["age"], class_names=["no", "yes"]) == [
        "If age is at most 0.5, then no (1 of 1).",
        "If age is above 0.5 and at most 2.5, then yes (2 of 2).",
        "If age is above 2.5, then no (1 of 1).",
    ]
    assert ex.path_rules(tree, torch.tensor([2.0]), feature_names=["age"]) == [
        "age is 2, above 0.5", "age is 2, at most 2.5", "so class 1 (2 of 2)",
    ]  # fmt: skip
    alone = ex.grow_tree(x, torch.tensor([0, 0, 0, 0]), n_classes=2)
    assert ex.tree_rules(alone) == ["Always class 0 (4 of 4)."]
    assert ex.path_rules(alone, x[0]) == ["so class 0 (4 of 4)"]


def test_splits_can_be_flipped_and_replaced():
    x, model = problem(1, n=200)
    y = labels_of(model, x)
    tree = ex.grow_tree(x, y, max_depth=3)
    before = tree.predict(x)
    flipped = ex.flip_split(tree, 0, x, y)
    assert ex.fidelity(flipped, model, x) < ex.fidelity(tree, model, x)
    assert torch.equal(ex.flip_split(flipped, 0, x, y).predict(x), before)
    other = ex.with_split(tree, 0, 2, 0.25, x, y)
    assert int(other.counts[other.left[0]].sum()) == int((x[:, 2] <= 0.25).sum())
    assert torch.equal(other.counts[0], tree.counts[0])
    assert torch.equal(tree.predict(x), before)  # the tree itself is as it was
    empty = ex.with_split(tree, 0, 2, -1e9, x, y)  # nobody goes left
    left = int(empty.left[0])
    assert not empty.counts[left].any() and empty.labels[left] == empty.labels[0]
    leaf = int(torch.nonzero(tree.feature < 0)[0])
    for says, call in (
        ("holds no split; the splits are at", lambda: ex.flip_split(tree, leaf, x, y)),
        ("node 99 holds no split", lambda: ex.with_split(tree, 99, 0, 0.0, x, y)),
        ("feature is 4, expected 0 to 3", lambda: ex.with_split(tree, 0, 4, 0.0, x, y)),
        ("labels run to 7", lambda: ex.recount(tree, x, y + 5)),
    ):
        with pytest.raises(ValueError, match=says):
            call()


def test_a_tree_survives_a_file(tmp_path):
    x, model = problem(2)
    tree = ex.grow_tree(x, labels_of(model, x))
    np.savez(tmp_path / "tree.npz", **tree.arrays())
    with np.load(tmp_path / "tree.npz") as stored:
        again = ex.Tree.from_arrays(stored)
    text = json.dumps({name: array.tolist() for name, array in tree.arrays().items()})
    for found in (again, ex.Tree.from_arrays(json.loads(text))):
        assert all(torch.equal(getattr(found, k), getattr(tree, k)) for k in tree.arrays())
    path = tree.path(x[0])
    assert path[0] == 0 and path[-1] == int(tree.apply(x[:1])) and len(set(path)) == len(path)


@pytest.mark.parametrize("kind", ["noise", "mixture", "marginal"])
def test_queries_are_like_the_data(kind):
    x = load("digits").inputs[:200]
    found = ex.queries(x, 300, generator=seeded(), kind=kind, step=1 / 16)
    assert found.shape == (300, 1, 8, 8) and found.dtype == torch.float32
    assert torch.equal(found, ex.queries(x, 300, generator=seeded(), kind=kind, step=1 / 16))
    assert not torch.equal(found, ex.queries(x, 300, generator=seeded(1), kind=kind, step=1 / 16))
    assert (found >= x.amin(0)).all() and (found <= x.amax(0)).all()
    assert torch.equal(found * 16, (found * 16).round())
    assert (torch.cdist(found.flatten(1), x.flatten(1)).amin(1) > 0).float().mean() > 0.9


def test_kinds_of_queries_differ_as_they_say():
    line = torch.linspace(-1, 1, 101)
    x = torch.stack([line, line], 1)  # two features that are one

    def apart(kind):
        found = ex.queries(x, 2000, generator=seeded(), kind=kind, scale=0.1)
        return (found[:, 0] - found[:, 1]).abs().mean().item()

    assert apart("mixture") == pytest.approx(0, abs=1e-6)
    assert 0.03 < apart("noise") < 0.12
    assert apart("marginal") == pytest.approx(2 / 3, abs=0.05)  # two independent uniforms


def test_queries_reach_the_tree():
    x, model = problem(5, n=30)
    plain = ex.surrogate_tree(model, x)
    asked = ex.surrogate_tree(model, x, n_queries=3000, generator=seeded())
    far = ex.queries(x, 2000, generator=seeded(9))
    assert int(asked.counts[0].sum()) == 3030 and int(plain.counts[0].sum()) == 30
    assert ex.fidelity(asked, model, far) > ex.fidelity(plain, model, far) + 0.1


def test_a_net_is_left_as_it_was_and_asked_in_evaluation_mode():
    x = torch.randn(50, 1, 2, 2, generator=seeded())
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 3))
    with pytest.raises(ValueError, match=r"training mode, where Dropout '2'.*model.eval\(\)"):
        ex.surrogate_tree(net, x)
    net.eval()
    tree = ex.surrogate_tree(net, x)
    assert ex.fidelity(tree, net, x) == 1 and tree.n_classes == 3
    assert not net.training and all(p.grad is None for p in net.parameters())
    plain = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))  # training mode makes no difference here
    assert ex.fidelity(ex.surrogate_tree(plain, x), plain, x) == 1 and plain.training


@given(n=st.integers(0, 7), k=st.integers(2, 4), data=st.data())
def test_exception_bits_count_all_corrections(n, k, data):
    w = data.draw(st.integers(0, n))
    said = [0] * n
    ways = sum(
        sum(a != b for a, b in zip(said, labels, strict=True)) == w
        for labels in itertools.product(range(k), repeat=n)
    )
    assert ex.exception_bits(w, n, k) == pytest.approx(math.log2(n + 1) + math.log2(ways))


def test_tree_bits_node_by_node():
    x, model = problem(4, n=100)
    tree = ex.grow_tree(x, labels_of(model, x), n_classes=3, max_leaves=9)
    by_node = sum(
        1 + (math.log2(4) + 6 if feature >= 0 else math.log2(3)) for feature in tree.feature
    )
    assert ex.tree_bits(tree, n_features=4, threshold_bits=6) == pytest.approx(by_node)
    stump = tree.cut(max_leaves=1)
    assert ex.tree_bits(stump, n_features=4) == pytest.approx(1 + math.log2(3))


@given(seed=seeds, bits=st.integers(1, 8))
def test_thresholds_on_the_grid_are_cut_points(seed, bits):
    x, model = problem(seed, n=100)
    tree = ex.grow_tree(x, labels_of(model, x))
    moved = ex.on_grid(tree, x, threshold_bits=bits)
    splits = tree.feature >= 0
    feature, low, high = tree.feature[splits], x.amin(0).double(), x.amax(0).double()
    place = (moved.threshold[splits] - low[feature]) / (high - low)[feature] * 2**bits - 0.5
    assert torch.allclose(place, place.round(), atol=1e-3)
    assert place.min() > -0.01 and place.max() < 2**bits - 0.99
    step = (high - low)[feature] / 2**bits
    assert ((moved.threshold - tree.threshold)[splits].abs() <= step / 2 + 1e-5).all()


def test_the_code_of_a_tree_and_its_mistakes():
    x, model = problem(6, n=400)
    y = labels_of(model, x)
    codes = ex.codes_by_leaves(x, y, [1, 4, 16], n_classes=3)
    assert list(codes) == [1, 4, 16]
    most = int(torch.bincount(y).max())
    assert codes[1].data_bits == pytest.approx(ex.exception_bits(400 - most, 400, 3))
    assert codes[16].model_bits > codes[4].model_bits > codes[1].model_bits
    assert codes[16].data_bits < codes[4].data_bits < codes[1].data_bits
    tree = ex.surrogate_tree(model, x, max_leaves=4)
    moved = ex.on_grid(tree, x)
    wrong = round(400 * (1 - ex.fidelity(moved, model, x)))
    found = ex.surrogate_bits(tree, model, x)
    assert found.data_bits == pytest.approx(ex.exception_bits(wrong, 400, 3))
    assert found.model_bits == pytest.approx(ex.tree_bits(tree, n_features=4))
    # Random labels: no tree is shorter than saying them one by one.
    noise = torch.randint(10, (400,), generator=seeded())
    codes = ex.codes_by_leaves(x, noise, [1, 2, 5, 20, 100, 300], n_classes=10)
    assert min(code.total_bits for code in codes.values()) > 400 * math.log2(10) - 20


def test_a_drawing_is_text_with_names_and_a_path():
    x, model = problem(7, n=300)
    tree = ex.grow_tree(x, labels_of(model, x), n_classes=3, max_depth=5)
    names = {"feature_names": ["a<b", "length", "width", "mass"], "class_names": ["X", "Y&", "Z"]}
    drawn = ex.draw_tree(tree, alt="A tree of three classes", max_depth=3, highlight=x[0], **names)
    data, metadata = drawn._repr_mimebundle_()
    assert data == {"image/svg+xml": drawn.text, "text/plain": "A tree of three classes"}
    assert metadata["image/svg+xml"]["alt"] == repr(drawn) == "A tree of three classes"
    root = ElementTree.fromstring(drawn.text)
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img" and root.get("aria-label") == "A tree of three classes"
    assert root.find(f"{space}title").text == "A tree of three classes"
    top = tree.cut(max_depth=3)
    thick = [line for line in root.iter(f"{space}line") if line.get("stroke-width") == "4"]
    assert len(thick) == len(top.path(x[0])) - 1
    assert len(list(root.iter(f"{space}line"))) == 2 * (top.n_leaves - 1)
    words = [text.text for text in root.iter(f"{space}text")]
    said = [names["class_names"][top.labels[node]] for node in range(top.n_nodes)
            if top.feature[node] < 0]  # fmt: skip
    assert sorted(word for word in words if word in names["class_names"]) == sorted(said)
    hidden = [int(word[1:].split()[0]) for word in words if word.startswith("+")]
    shown = top.n_leaves - len(hidden)
    assert shown + sum(hidden) == tree.n_leaves
    again = ex.draw_tree(tree, alt="A tree of three classes", max_depth=3, highlight=x[0], **names)
    assert again.text == drawn.text


def test_boxes_of_a_drawing_do_not_overlap_and_stay_inside():
    x, model = problem(8, n=500, k=5)
    for depth in (0, 1, 3, 4):
        tree = ex.grow_tree(x, labels_of(model, x), n_classes=5, max_depth=depth)
        drawn = ex.draw_tree(tree, alt="Boxes side by side", class_names=["malignant"] * 5)
        root = ElementTree.fromstring(drawn.text)
        width, height = float(root.get("width")), float(root.get("height"))
        assert width == 900 and len(drawn.text.encode()) <= 60_000
        boxes = [
            [float(box.get(k)) for k in ("x", "y", "width", "height")]
            for box in root.iter("{http://www.w3.org/2000/svg}rect")
            if box.get("rx")
        ]
        assert len(boxes) == tree.n_nodes
        for x0, y0, w, h in boxes:
            assert x0 >= 0 and y0 >= 0 and x0 + w <= width and y0 + h <= height
        for one, two in itertools.combinations(boxes, 2):
            if one[1] == two[1]:
                assert one[0] + one[2] <= two[0] or two[0] + two[2] <= one[0]


def test_drawing_refuses():
    x, model = problem(9, n=3000, d=8)
    tree = ex.grow_tree(x, labels_of(model, x), n_classes=3)
    for says, how in (
        ("alt text says", {"alt": ""}),
        ("alt text says", {"alt": " tree  here "}),
        ("1 feature names", {"alt": "one two three", "feature_names": ["a"]}),
        ("2 class names for 3", {"alt": "one two three", "class_names": ["a", "b"]}),
        ("max_depth must be", {"alt": "one two three", "max_depth": -1}),
        ("lower max_depth", {"alt": "one two three", "max_depth": 30}),
    ):
        with pytest.raises(ValueError, match=says):
            ex.draw_tree(tree, **how)


def soft(depth=3, seed=0):
    torch.manual_seed(seed)
    return ex.SoftTree(4, depth, 3).double()


@given(seed=seeds, depth=st.integers(1, 4))
def test_a_soft_tree_mixes_its_leaves(seed, depth):
    """Against the product of sigmoids written out for each leaf."""
    tree = soft(depth, seed)
    x = torch.randn(6, 4, generator=seeded(seed)).double()
    right = torch.sigmoid(tree.inverse_temperature * tree.gates(x))
    paths = torch.ones(6, 2**depth, dtype=torch.float64)
    for leaf in range(2**depth):
        node = 0
        for level in range(depth):
            goes_right = leaf >> (depth - 1 - level) & 1
            paths[:, leaf] *= right[:, node] if goes_right else 1 - right[:, node]
            node = 2 * node + 1 + goes_right
    assert torch.allclose(tree.path_probabilities(x), paths, atol=1e-10)
    assert torch.allclose(tree(x).exp(), paths @ tree.leaf_logits.softmax(1), atol=1e-10)
    assert torch.allclose(tree(x).exp().sum(1), torch.ones(6).double())
    assert torch.equal(tree.most_likely_leaf(x), paths.argmax(1))
    # The penalty, node by node.
    penalty, arrives = 0.0, {0: torch.ones(6).double()}
    for node in range(2**depth - 1):
        share = (arrives[node] * right[:, node]).sum() / arrives[node].sum()
        level = (node + 1).bit_length() - 1
        penalty -= 2.0**-level * 0.5 * (share.log() + (1 - share).log())
        arrives[2 * node + 1] = arrives[node] * (1 - right[:, node])
        arrives[2 * node + 2] = arrives[node] * right[:, node]
    assert torch.allclose(tree.balance_penalty(x), penalty, atol=1e-10)


def test_gradients_of_a_soft_tree():
    tree, x = soft(), torch.randn(5, 4, generator=seeded()).double().requires_grad_()
    assert torch.autograd.gradcheck(tree, (x,))
    assert torch.autograd.gradcheck(tree.balance_penalty, (x,))


def test_a_soft_tree_learns_and_repeats_itself():
    x, model = problem(10, n=300)
    found = []
    for targets in (labels_of(model, x), model(x).softmax(1), labels_of(model, x)):
        torch.manual_seed(0)
        tree = ex.SoftTree(4, 3, 3)
        losses = ex.train_soft_tree(tree, x, targets, epochs=30)
        assert len(losses) == 30 and losses[-1] < 0.8 * losses[0] and not tree.training
        found.append(tree(x))
    assert torch.equal(found[0], found[2]) and not torch.equal(found[0], found[1])
    assert (found[0].argmax(1) == labels_of(model, x)).float().mean() > 0.85


def test_soft_trees_refuse():
    x, model = problem(11)
    y = labels_of(model, x)
    tree = ex.SoftTree(4, 2, 3)
    for says, call in (
        ("depth must be", lambda: ex.SoftTree(4, 0, 3)),
        ("an input has 3 values, the tree takes 4", lambda: tree(x[:, :3])),
        ("expected int64 labels", lambda: ex.train_soft_tree(tree, x, y.float())),
        ("labels run from 0 to 59", lambda: ex.train_soft_tree(tree, x, torch.arange(60))),
        ("logits need softmax", lambda: ex.train_soft_tree(tree, x, model(x))),
        ("empty or holds nan", lambda: ex.train_soft_tree(tree, x / 0, y)),
        ("epochs must be", lambda: ex.train_soft_tree(tree, x, y, epochs=0)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            call()


def test_trees_refuse():
    x, model = problem(12)
    y, bad = labels_of(model, x), x.clone()
    bad[3, 1] = math.nan
    tree = ex.grow_tree(x, y)
    net = nn.Sequential(nn.Linear(4, 3))
    same = torch.ones(5, 4)
    for says, call in (
        ("1 of 60 examples hold nan or inf", lambda: ex.grow_tree(bad, y)),
        ("1 of 60 examples hold nan or inf", lambda: ex.best_split(bad, y)),
        ("the model gives nan", lambda: ex.surrogate_tree(net, bad)),
        ("got 1 example, expected at least 2", lambda: ex.grow_tree(x[:1], y[:1])),
        ("got 1 example", lambda: ex.surrogate_tree(net, x[:1])),
        (r"x is \(4,\), expected", lambda: ex.grow_tree(x[0], y)),
        ("y is torch.float32", lambda: ex.grow_tree(x, y.float())),
        (r"of shape \(59,\)", lambda: ex.grow_tree(x, y[1:])),
        ("labels start at -1", lambda: ex.grow_tree(x, y - 1)),
        ("labels run to 2, expected 0 to 1", lambda: ex.grow_tree(x, y, n_classes=2)),
        ("max_depth must be", lambda: ex.grow_tree(x, y, max_depth=-1)),
        ("max_leaves must be", lambda: ex.grow_tree(x, y, max_leaves=0)),
        ("min_leaf must be", lambda: ex.grow_tree(x, y, min_leaf=0.5)),
        ("no feature of these 5", lambda: ex.best_split(same, torch.tensor([0, 1, 0, 1, 1]))),
        ("the tree asks for . features, got 1", lambda: tree.predict(x[:, :1])),
        ("pass generator=", lambda: ex.surrogate_tree(net, x, n_queries=5)),
        (r"kind is 'uniform'", lambda: ex.queries(x, 5, generator=seeded(), kind="uniform")),
        ("scale is 0", lambda: ex.queries(x, 5, generator=seeded(), scale=0)),
        ("n is -1", lambda: ex.queries(x, -1, generator=seeded())),
        ("x holds nan", lambda: ex.queries(bad, 5, generator=seeded())),
        (r"shape \(1, 4\)", lambda: ex.queries(x[:1], 5, generator=seeded())),
        ("no inputs", lambda: ex.fidelity(tree, net, x[:0])),
        (r"gives \(60,\) for 60", lambda: ex.fidelity(tree, lambda rows: rows[:, 0], x)),
        ("expected 0 <= n_wrong <= n", lambda: ex.exception_bits(3, 2, 2)),
        ("of 1", lambda: ex.tree_bits(tree, n_features=1)),
        ("n_leaves is empty", lambda: ex.codes_by_leaves(x, y, [], n_classes=3)),
    ):
        with pytest.raises(ValueError, match=says):
            call()


def test_constant_features_and_one_class_make_a_leaf():
    y = torch.tensor([0, 1, 1])
    tree = ex.grow_tree(torch.ones(3, 2), y)
    assert (
        tree.n_leaves == 1
        and tree.depth == 0
        and tree.predict(torch.zeros(2, 2)).tolist() == [1, 1]
    )
    assert ex.on_grid(tree, torch.ones(3, 2)).n_leaves == 1
    assert ex.draw_tree(tree, alt="One leaf alone").text.count("<line") == 0
    assert ex.grow_tree(torch.randn(3, 2), y, max_depth=0).labels.tolist() == [1]
