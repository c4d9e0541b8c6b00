"""Integrated gradients against captum, permutation importance against scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import IntegratedGradients
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance

from companion import explanation, models
from companion.data import load
from companion.metrics import accuracy
from tools.bench import Comparison, Timed


def gradients() -> tuple[Timed, Timed]:
    """LeNet-5 on 40 images, 50 steps each."""
    torch.manual_seed(0)
    model, test = models.lenet5().eval(), load("mnist", split="test")
    x, target = test.inputs[:40], test.targets[:40]

    def ours() -> torch.Tensor:
        return explanation.integrated_gradients(model, x, target)

    def captum() -> torch.Tensor:
        return IntegratedGradients(model).attribute(x, target=target, n_steps=50)

    if not torch.allclose(ours(), captum(), rtol=1e-5, atol=1e-5):
        raise ValueError("the two must give the same attributions within 1e-5")
    return ours, captum


class _Network(BaseEstimator):
    """A network as scikit-learn sees one."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, x: np.ndarray, y: np.ndarray) -> _Network:
        """Asked for by scikit-learn, never called: the network is trained."""
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.model(torch.from_numpy(x)).argmax(1).numpy()


def permutations() -> tuple[Timed, Timed]:
    """A network on breast cancer, all 569 rows and 30 columns, 10 repeats."""
    torch.manual_seed(0)
    data = load("breast_cancer", split="all")
    x = (data.inputs - data.inputs.mean(0)) / data.inputs.std(0)
    model, y = models.mlp(30, 32, 2).eval(), data.targets
    estimator, table, labels = _Network(model), x.numpy(), y.numpy()

    def ours() -> object:
        return explanation.permutation_importance(
            model, x, y, metric=lambda logits, y: accuracy(logits.argmax(1), y), n_repeats=10
        )

    def scikit_learn() -> object:
        return permutation_importance(
            estimator, table, labels, scoring="accuracy", n_repeats=10, random_state=0
        )

    return ours, scikit_learn


ENTRIES = [
    Comparison(
        name="integrated_gradients_captum", chapter="06", prepare=gradients,
        peer_name="captum.IntegratedGradients", bar=1.2,
    ),
    Comparison(
        name="permutation_importance_sklearn", chapter="06", prepare=permutations,
        peer_name="sklearn.permutation_importance", bar=1.2,
    ),
]  # fmt: skip
