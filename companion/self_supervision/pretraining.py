"""Training without labels: the input is the target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from companion.data import Dataset
from companion.self_supervision.contrastive import nt_xent, warp
from companion.self_supervision.inputs import check_inputs, check_share
from companion.self_supervision.masks import (
    hide,
    masked_mse,
    patch_mask,
    random_mask,
    with_mask_channel,
)
from companion.self_supervision.noise import add_noise
from companion.training import History, Loss, fit

TASKS = ("reconstruct", "masked", "denoise", "contrastive")
Augment = Callable[[Tensor, torch.Generator], Tensor]


def pretrain(
    model: nn.Module,
    data: Tensor,
    *,
    task: str = "reconstruct",
    epochs: int = 10,
    lr: float = 3e-3,
    batch_size: int = 128,
    seed: int = 0,
    share: float = 0.5,
    patch: int | None = None,
    mask_channel: bool = False,
    noise: str = "gaussian",
    amount: float = 0.5,
    temperature: float = 0.5,
    augment: Augment | None = None,
    validation: Tensor | None = None,
    schedule: str | Callable[..., Any] | None = "one_cycle",
    progress: bool = False,
    **fit_options: Any,
) -> History:
    """Trains `model` in place on inputs `data` (N, ...) alone, and returns the history.

    - "reconstruct": squared error between `model(x)` and x;
    - "masked": hides a `share` of x, as tiles of `patch` pixels or, with None, value by value;
      squared error on the hidden values only; `mask_channel` gives the model the mask as a channel;
    - "denoise": squared error between `model` of x with `amount` of `noise` (the kinds of
      `add_noise`) and the clean x;
    - "contrastive": `nt_xent` between `model` of two views of x, made by `augment`, or by `warp`.

    In the first three tasks `augment` alters x before the task sees it.  Masks, noise and views are
    drawn anew for each batch, from `seed`.  `fit_options` go to `companion.training.fit`.

    Source: reconstruct Rumelhart et al. 1986 (from memory, unverified); masked Pathak et al., CVPR
    2016, Devlin et al., NAACL 2019, He et al., CVPR 2022; denoise Vincent et al., ICML 2008;
    contrastive Chen et al., ICML 2020 (from memory, unverified).

    Raises:
        ValueError: labels among the data, an unknown task, or a setting that the task refuses.
    """
    if task not in TASKS:
        raise ValueError(f"no task {task!r}: expected one of {', '.join(TASKS)}")
    train = unlabelled(data)
    # The order of the batches has its own numbers; masks, noise and views have these.
    generator = torch.Generator().manual_seed(seed + 2**32)
    if task == "contrastive":
        if len(train) % batch_size == 1:
            raise ValueError(
                f"{len(train)} examples in batches of {batch_size} leave one example alone at the "
                "end, with nothing to be told apart from: choose another batch_size"
            )
        loss = _contrastive(augment or warp, temperature, generator)
    elif task == "masked":
        loss = _masked(check_share("share", share), patch, mask_channel, generator)
    elif task == "denoise":
        loss = _denoise(noise, amount, generator)
    else:
        loss = _reconstruct
    return fit(
        model,
        train,
        epochs=epochs,
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        schedule=schedule,
        progress=progress,
        loss=loss,
        augment=None if task == "contrastive" else augment,
        validation=None if validation is None else unlabelled(validation),
        **fit_options,
    )


def unlabelled(inputs: Tensor) -> Dataset:
    """Inputs as `fit` takes them, with one label that says nothing."""
    nothing = torch.zeros(len(check_inputs(inputs)), dtype=torch.int64, device=inputs.device)
    return Dataset(inputs, nothing, ("no label",), "unlabelled", "train")


def _reconstruct(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    return (_outputs(model, x, x) - x).square().mean()


def _denoise(noise: str, amount: float, generator: torch.Generator) -> Loss:
    def loss(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
        noisy = add_noise(x, kind=noise, amount=amount, generator=generator)
        return (_outputs(model, noisy, x) - x).square().mean()

    return loss


def _masked(
    share: float, patch: int | None, mask_channel: bool, generator: torch.Generator
) -> Loss:
    def loss(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
        if patch is not None:
            mask = patch_mask(x.shape, patch=patch, share=share, generator=generator)
        else:
            shape = (len(x), 1, *x.shape[2:]) if x.ndim > 2 else x.shape
            mask = random_mask(shape, share, generator=generator)
        seen = with_mask_channel(x, mask) if mask_channel else hide(x, mask)
        return masked_mse(_outputs(model, seen, x), x, mask)

    return loss


def _contrastive(augment: Augment, temperature: float, generator: torch.Generator) -> Loss:
    def loss(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
        views = torch.cat([augment(x, generator), augment(x, generator)])  # (2N, ...)
        z1, z2 = model(views).flatten(1).chunk(2)
        return nt_xent(z1, z2, temperature=temperature)

    return loss


def _outputs(model: nn.Module, seen: Tensor, x: Tensor) -> Tensor:
    outputs = model(seen)
    if outputs.shape != x.shape:
        raise ValueError(
            f"the model gives outputs of shape {tuple(outputs.shape)} for inputs of shape "
            f"{tuple(x.shape)}: this task wants the input back (pass the whole autoencoder, not "
            "its encoder)"
        )
    return outputs
