"""Deep SVDD: map the normal examples near one point; what lands far from it is strange."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from companion.self_supervision.inputs import check_inputs
from companion.self_supervision.pretraining import unlabelled
from companion.training import History, fit, predict


class DeepSVDD:
    """Trains `encoder` (N, ...) -> (N, K) so that normal examples land near a fixed centre.

    The centre is the mean of the first outputs, each coordinate kept at least 0.1 from zero.  The
    encoder must not be able to reach the centre without looking: with biases, zero weights give
    every input the same output, and the loss is zero.  `conv_encoder(bias=False)` has none.

    Source: Ruff et al., ICML 2018.

    Raises:
        ValueError: an encoder with biases (unless `allow_bias`), labels among the data, or `score`
            before `fit`.
    """

    def __init__(self, encoder: nn.Module, *, allow_bias: bool = False) -> None:
        names = [name for name, _ in encoder.named_parameters() if name.split(".")[-1] == "bias"]
        if names and not allow_bias:
            raise ValueError(
                f"the encoder has biases ({', '.join(names[:3])}): with all weights at zero they "
                "alone give the centre for every input, a loss of zero that tells nothing apart "
                "(collapse); build it with bias=False and batch norm with affine=False, or watch "
                "it happen with allow_bias=True"
            )
        self.encoder, self.centre = encoder, None

    def fit(
        self,
        normal: Tensor,
        *,
        epochs: int = 20,
        lr: float = 1e-3,
        batch_size: int = 128,
        weight_decay: float = 1e-6,
        seed: int = 0,
        progress: bool = False,
        **fit_options: Any,
    ) -> History:
        """Trains on normal inputs (N, ...), without labels; `fit_options` go to `training.fit`."""
        data = unlabelled(check_inputs(normal, "normal"))
        self.centre = self._first_centre(normal, batch_size)

        def loss(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
            return self._squared_distance(model(x)).mean()

        return fit(
            self.encoder,
            data,
            epochs=epochs,
            lr=lr,
            batch_size=batch_size,
            weight_decay=weight_decay,
            seed=seed,
            progress=progress,
            loss=loss,
            **fit_options,
        )

    def score(self, x: Tensor) -> Tensor:
        """Squared distance (N,) from the centre; higher is stranger."""
        if self.centre is None:
            raise ValueError("there is no centre yet: call fit(normal) first")
        return self._squared_distance(predict(self.encoder, check_inputs(x, "x"))).to(x.device)

    def _squared_distance(self, code: Tensor) -> Tensor:
        return (code.flatten(1) - self.centre.to(code.device)).square().sum(1)

    @torch.no_grad()
    def _first_centre(self, normal: Tensor, batch_size: int) -> Tensor:
        self.encoder.train()  # batch norm has seen nothing yet: the batch is its own measure
        parameter = next(self.encoder.parameters())
        batches = normal.to(parameter.device).split(batch_size)
        centre = torch.cat([self.encoder(batch).flatten(1) for batch in batches]).mean(0)
        return torch.where(centre < 0, centre.clamp(max=-0.1), centre.clamp(min=0.1))
