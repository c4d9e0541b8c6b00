"""Forward, loss, backward: a small engine for gradients, losses, a network, optimizers.

Every loss and every function of a layer is written with operations that `torch.Tensor` and `Node`
both have, so the same line runs in torch and in the engine.
"""

from companion.foundations.engine import Node
from companion.foundations.gradcheck import GradCheck, grad_check
from companion.foundations.initialization import glorot_, he_
from companion.foundations.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_sum_exp,
    mse,
    softmax,
)
from companion.foundations.network import MLP, linear, relu, sigmoid
from companion.foundations.optimizers import SGD, Adam, Momentum

__all__ = [
    "MLP", "SGD", "Adam", "GradCheck", "Momentum", "Node", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "cross_entropy", "glorot_", "grad_check", "he_", "linear",
    "log_sum_exp", "mse", "relu", "sigmoid", "softmax",
]  # fmt: skip
