"""A tree that answers like a net, and how often it does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from companion.explanation.tree import Tree, grow_tree
from companion.training import predict

KINDS = ("noise", "mixture", "marginal")


def queries(
    x: Tensor,
    n: int,
    *,
    generator: torch.Generator,
    kind: str = "noise",
    scale: float = 0.5,
    step: float | None = None,
) -> Tensor:
    """`n` inputs (n, ...) like the rows of `x` (N, ...), for a net to answer.

    "noise": a row plus Gaussian noise of `scale` standard deviations of each feature; "mixture":
    a point on the line between two rows; "marginal": each feature from a row of its own, so that
    what ties the features is lost.  Values stay within those of `x`.  `step` rounds them to its
    multiples: grey values that come in sixteenths stay such.

    Source: the idea of asking beyond the data, Craven & Shavlik (TREPAN), NIPS 8, 1996; they draw
    features one by one under the constraints of a node.

    Raises:
        ValueError: nan, fewer than 2 rows, an unknown kind, a scale or step not above 0.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(map(repr, KINDS))}")
    if not (scale > 0 and (step is None or step > 0)):
        raise ValueError(f"scale is {scale}, step is {step}: expected numbers above 0")
    if n < 0:
        raise ValueError(f"n is {n}, expected a number of queries of at least 0")
    if x.ndim < 2 or len(x) < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected (N, ...) with N of at least 2")
    if not torch.isfinite(x).all():
        raise ValueError("x holds nan or inf: queries like it would hold them too")
    rows = x.detach().flatten(1)  # (N, ...) -> (N, D)
    where, n_features = x.device, rows.shape[1]

    def drawn(*shape: int) -> Tensor:
        return torch.randint(len(rows), shape, generator=generator, device=generator.device)

    if kind == "marginal":
        found = rows.gather(0, drawn(n, n_features).to(where))  # (n, D)
    elif kind == "mixture":
        share = torch.rand(n, 1, generator=generator, device=generator.device).to(where)
        found = torch.lerp(rows[drawn(n).to(where)], rows[drawn(n).to(where)], share)
    else:
        noise = torch.randn(n, n_features, generator=generator, device=generator.device)
        found = rows[drawn(n).to(where)] + scale * rows.std(0) * noise.to(where)
    if step is not None:
        found = (found / step).round() * step
    found = torch.minimum(torch.maximum(found, rows.amin(0)), rows.amax(0))
    return found.view(n, *x.shape[1:])


def surrogate_tree(
    model: nn.Module | Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    max_depth: int | None = None,
    max_leaves: int | None = None,
    n_queries: int = 0,
    generator: torch.Generator | None = None,
    kind: str = "noise",
    scale: float = 0.5,
    step: float | None = None,
) -> Tree:
    """CART on the answers of `model` to `x` (N, ...) and to `n_queries` more inputs like `x`.

    `model` maps (N, ...) to logits (N, K) and is in evaluation mode; no label is looked at.

    Source: Craven & Shavlik, "Extracting tree-structured representations of trained networks",
    NIPS 8, 1996.

    Raises:
        ValueError: as `grow_tree` and `queries`; queries without a generator; a model in training
            mode whose answers then depend on chance or on the batch.
    """
    if n_queries:
        if generator is None:
            raise ValueError(f"{n_queries} queries are drawn at random: pass generator=")
        more = queries(x, n_queries, generator=generator, kind=kind, scale=scale, step=step)
        x = torch.cat([x, more])
    said, n_classes = _answers(model, x)
    return grow_tree(
        x, said, n_classes=n_classes, max_depth=max_depth, max_leaves=max_leaves,
        generator=generator,
    )  # fmt: skip


def fidelity(tree: Tree, model: nn.Module | Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Share of the inputs `x` (N, ...) for which the tree says what the model says.

    Not accuracy: the labels play no part, and a tree that repeats the model's mistakes is right.

    Raises:
        ValueError: no inputs, or a model in training mode (see `surrogate_tree`).
    """
    return int((tree.predict(x) == answers(model, x)).sum()) / len(x)


def answers(model: nn.Module | Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The class (N,) with the largest logit for each input of `x` (N, ...)."""
    return _answers(model, x)[0]


def _answers(model: nn.Module | Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, int]:
    if len(x) == 0:
        raise ValueError("x holds no inputs: there is nothing to ask the model")
    if isinstance(model, nn.Module):
        _check_mode(model)
        logits = predict(model, x, batch_size=4096)
    else:
        with torch.no_grad():
            logits = model(x)
    if logits.ndim != 2 or len(logits) != len(x):
        raise ValueError(
            f"the model gives {tuple(logits.shape)} for {len(x)} inputs, expected logits (N, K)"
        )
    if torch.isnan(logits).any():
        raise ValueError("the model gives nan for some inputs, so it has no answer there")
    return logits.argmax(1).to(x.device), logits.shape[1]


def _check_mode(model: nn.Module) -> None:
    moody = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    for name, module in model.named_modules():
        if module.training and isinstance(module, moody):
            raise ValueError(
                f"the model is in training mode, where {type(module).__name__} {name!r} makes an "
                "answer depend on chance or on its batch: call model.eval() first"
            )
