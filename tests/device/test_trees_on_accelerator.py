"""Trees, surrogates, soft trees and their bits on every device."""

from __future__ import annotations

import pytest
import torch
from accelerators import check_agrees, check_repeats_itself
from test_on_accelerator import on_device, randn, weights
from torch import nn

from companion import explanation

pytestmark = pytest.mark.device

MODULES = ("drawing", "rules", "softtree", "surrogate", "tree", "treebits")
CASES = {}  # public name -> (function of a device that returns tensors, tolerance)


def case(name, tolerance=1e-4):
    def register(function):
        CASES[name] = (function, tolerance)
        return function

    return register


INPUTS = randn(200, 1, 2, 3)


def model(where):
    return on_device(lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), where)


def answered(where):
    """Inputs on the device, and answers that hang on no last bit."""
    x = INPUTS.to(where)
    return x, (x.flatten(1)[:, 0] > 0).long() + 2 * (x.flatten(1)[:, 4] > 0.5).long()


def grown(where, **limits):
    return explanation.grow_tree(*answered(where), n_classes=4, **limits)


def arrays(*trees):
    return [part for tree in trees for part in (tree.feature, tree.threshold, tree.counts)]


def letters(text):
    return [torch.tensor(list(text.encode()))]


for name in ("Tree", "grow_tree", "recount", "with_split", "flip_split"):

    @case(name)
    def _(where):
        x, y = answered(where)
        tree = grown(where, max_leaves=6)
        others = (
            explanation.recount(tree, x, y),
            explanation.with_split(tree, 0, 2, 0.25, x, y),
            explanation.flip_split(tree, 0, x, y),
        )
        found = [tree.predict(x), tree.apply(x)]
        assert all(part.device.type == torch.device(where).type for part in found)
        path = torch.tensor(tree.path(x[3]))
        return [*found, path, *arrays(tree, tree.cut(max_leaves=3), *others)]


for name in ("best_split", "Split"):

    @case(name)
    def _(where):
        return [torch.tensor(explanation.best_split(*answered(where)), dtype=torch.float64)]


@case("queries")
def _(where):
    x = INPUTS.to(where)
    found = [
        explanation.queries(x, 50, generator=torch.Generator().manual_seed(0), kind=kind)
        for kind in ("noise", "mixture", "marginal")
    ]
    assert all(each.device.type == torch.device(where).type for each in found)
    return found


for name in ("surrogate_tree", "fidelity", "answers"):

    @case(name)
    def _(where):
        x, net = INPUTS.to(where), model(where)
        tree = explanation.surrogate_tree(net, x, max_leaves=8)
        said = explanation.answers(net, x)
        assert said.device.type == torch.device(where).type
        return [*arrays(tree), said, torch.tensor([explanation.fidelity(tree, net, x)])]


for name in ("tree_rules", "path_rules"):

    @case(name)
    def _(where):
        tree = grown(where)
        rules = explanation.tree_rules(tree) + explanation.path_rules(tree, INPUTS[5].to(where))
        return letters("\n".join(rules))


for name in ("draw_tree", "SVG"):

    @case(name)
    def _(where):
        drawn = explanation.draw_tree(
            grown(where), alt="A tree of four classes", highlight=INPUTS[5].to(where)
        )
        return letters(drawn.text)


for name in ("tree_bits", "on_grid", "exception_bits", "label_bits", "surrogate_bits"):

    @case(name)
    def _(where):
        x, y = answered(where)
        tree = grown(where, max_leaves=3)
        codes = [
            explanation.label_bits(tree, x, y),
            explanation.surrogate_bits(tree, model(where), x),
        ]
        bits = [explanation.tree_bits(tree, n_features=6), explanation.exception_bits(3, 200, 4)]
        parts = [part for code in codes for part in (code.model_bits, code.data_bits)]
        return [torch.tensor(parts + bits), *arrays(explanation.on_grid(tree, x))]


@case("codes_by_leaves")
def _(where):
    codes = explanation.codes_by_leaves(*answered(where), [1, 2, 4], n_classes=4)
    return [torch.tensor([code.total_bits for code in codes.values()])]


@case("SoftTree")
def _(where):
    tree = on_device(lambda: explanation.SoftTree(6, 3, 4), where)
    x = INPUTS.to(where).requires_grad_()
    value = tree(x).square().mean() + tree.balance_penalty(x)
    gradients = torch.autograd.grad(value, [x, *tree.parameters()])
    return [tree(x), tree.path_probabilities(x), *gradients]


@case("train_soft_tree", tolerance=1e-2)
def _(where):
    tree = on_device(lambda: explanation.SoftTree(6, 2, 4), where)
    losses = explanation.train_soft_tree(tree, *answered(where), epochs=2)
    return [torch.tensor(losses), *weights(tree)]


def test_every_public_name_has_a_case():
    public = {
        name
        for name in explanation.__all__
        if getattr(explanation, name).__module__.rpartition(".")[2] in MODULES
    }
    assert set(CASES) == public


@pytest.mark.parametrize("name", CASES)
def test_the_case_repeats_itself_on_the_cpu(name):
    check_repeats_itself(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_device_agrees_with_the_cpu(name, accelerator):
    check_agrees(CASES[name][0], accelerator, f"explanation.{name}", CASES[name][1])
