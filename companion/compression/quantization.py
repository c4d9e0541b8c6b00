"""Numbers on a uniform grid: integer codes, one scale, and a zero that stays zero."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor, nn

from companion.compression.layers import check_floats, weighted_layers
from companion.training import predict

SCHEMES = ("affine", "symmetric")
Limits = tuple[float | Tensor, float | Tensor] | None


@dataclass(frozen=True)
class QuantizedTensor:
    """Codes (int32, the shape of the original) of the values `(codes - zero_point) * scale`.

    `scale` (float32) and `zero_point` (int32) are scalars or, with one grid for each index of
    `axis`, of a shape that broadcasts along it.
    """

    codes: Tensor
    scale: Tensor
    zero_point: Tensor
    bits: int
    scheme: str
    axis: int | None

    def dequantize(self) -> Tensor:
        return (self.codes - self.zero_point) * self.scale  # float32

    @property
    def n_bits(self) -> int:
        """Bits of the codes, of the scales (32 each), and of the zero points (codes themselves)."""
        n_zeros = self.zero_point.numel() if self.scheme == "affine" else 0
        return (self.codes.numel() + n_zeros) * self.bits + 32 * self.scale.numel()


def quantize(
    x: Tensor, *, bits: int, scheme: str = "affine", axis: int | None = None, limits: Limits = None
) -> QuantizedTensor:
    """Rounds x to `round(x / scale) + zero_point`, half to even, clipped to codes of `bits` bits.

    - "affine": codes 0 ... 2^bits - 1 over the range of x, widened to hold 0;
    - "symmetric": codes -(2^(bits-1) - 1) ... 2^(bits-1) - 1, zero_point 0.

    In both, 0.0 has a code of its own.  With `axis` each index along it has its own grid (0: the
    output channels of a weight).  `limits` (low, high) give the range instead of x, as numbers or
    tensors that broadcast with x: values outside are clipped.  Computed in float32.

    Source: Jacob et al., CVPR 2018 (from memory, unverified).

    Raises:
        ValueError: bits outside 1 ... 16 (2 ... 16 if symmetric), an unknown scheme or axis, low
            above high, or x that is empty, no float, or holds nan or inf.
    """
    lowest, highest = _code_range(bits, scheme)
    x = check_floats(x, "x").detach().float()
    low, high = _range(x, axis) if limits is None else _given_range(x, limits)
    if scheme == "affine":
        low, high = low.clamp(max=0), high.clamp(min=0)
    else:
        high = torch.maximum(low.abs(), high.abs())
        low = torch.zeros_like(high)
    # Both are divided first: their difference may be too large for float32.
    scale = high / highest - low / highest
    limit = torch.finfo(torch.float32)
    scale = torch.where(scale > 0, scale, (high == low).float()).clamp(limit.tiny, limit.max)
    zero_point = (-low / scale).round().clamp(0, highest).int()
    codes = ((x / scale).round() + zero_point).clamp(lowest, highest).int()
    return QuantizedTensor(codes, scale, zero_point, bits, scheme, axis)


def fake_quantize(
    x: Tensor, *, bits: int, scheme: str = "affine", axis: int | None = None, limits: Limits = None
) -> Tensor:
    """x on the grid of `quantize`, with the gradient of the identity: straight through.

    The gradient is 1 where the rounded value lies on the grid, and 0 where it was clipped.

    Source: Bengio, Léonard & Courville 2013 (from memory, unverified).

    Raises:
        ValueError: as in `quantize`.
    """
    q = quantize(x, bits=bits, scheme=scheme, axis=axis, limits=limits)
    lowest, highest = _code_range(bits, scheme)
    code = (x.detach().float() / q.scale).round() + q.zero_point
    is_inside = (code >= lowest) & (code <= highest)
    # x - x.detach() is 0: it adds nothing but its gradient.
    return q.dequantize().to(x.dtype) + is_inside * (x - x.detach())


class QuantizedLayer(nn.Module):
    """A Linear or Conv layer that rounds its weight, its inputs, or both, each time it is used.

    `input_limits` (2,) is the range of the inputs' affine grid, None where they are not rounded.
    """

    def __init__(
        self,
        layer: nn.Module,
        weight_grid: dict | None,
        activation_bits: int | None,
        input_limits: Tensor | None,
    ) -> None:
        super().__init__()
        self.layer, self.weight_grid, self.activation_bits = layer, weight_grid, activation_bits
        self.register_buffer("input_limits", input_limits)

    def forward(self, x: Tensor) -> Tensor:
        if self.activation_bits is not None:
            x = fake_quantize(x, bits=self.activation_bits, limits=self.input_limits.unbind())
        weight = self.layer.weight
        if self.weight_grid is not None:
            weight = fake_quantize(weight, **self.weight_grid)
        return torch.func.functional_call(self.layer, {"weight": weight}, (x,))


def quantize_model(
    model: nn.Module,
    calibration: Tensor | None = None,
    *,
    weight_bits: int = 8,
    activation_bits: int | None = None,
    scheme: str = "symmetric",
    per_channel: bool = True,
    trainable: bool = False,
) -> nn.Module:
    """A copy of the model whose Linear and Conv weights lie on a grid; biases stay as they are.

    With `activation_bits` the inputs of these layers are rounded as well, on affine grids over the
    smallest and largest value that each layer of the unrounded model sees on `calibration`, inputs
    (N, ...) from the training data.  With `trainable` the weights are rounded anew in every forward
    pass and training moves the float weights behind them (quantization-aware training); to fix
    them afterwards, pass the trained model once more without it.

    Both kinds of rounding are simulated in float32: they show the accuracy, not the speed.

    Raises:
        ValueError: no Linear or Conv layer, activation_bits without calibration inputs, or a
            setting that `quantize` refuses.
    """
    model = _without_rounding(copy.deepcopy(model))
    layers = weighted_layers(model)
    axis = 0 if per_channel else None
    weight_grid = {"bits": weight_bits, "scheme": scheme, "axis": axis}
    rounded = {name: quantize(m.weight, **weight_grid).dequantize() for name, m in layers.items()}
    limits: dict[str, Tensor] = {}
    if activation_bits is not None:
        _code_range(activation_bits, "affine")
        if calibration is None:
            raise ValueError(
                "activation_bits needs calibration, a tensor of training inputs (N, ...): the "
                "range of each layer's inputs is not known without data"
            )
        limits = _input_limits(model, layers, check_floats(calibration, "calibration"))
    for name, layer in layers.items():
        if not trainable:
            with torch.no_grad():
                layer.weight.copy_(rounded[name])
        if trainable or activation_bits is not None:
            grid = weight_grid if trainable else None
            new = QuantizedLayer(layer, grid, activation_bits, limits.get(name))
            model = _replaced(model, name, new)
    return model


def _without_rounding(model: nn.Module) -> nn.Module:
    wrapped = {n: m for n, m in model.named_modules() if isinstance(m, QuantizedLayer)}
    for name, module in wrapped.items():
        model = _replaced(model, name, module.layer)
    return model


def _replaced(model: nn.Module, name: str, new: nn.Module) -> nn.Module:
    if name == "":
        return new
    model.set_submodule(name, new)
    return model


def _input_limits(
    model: nn.Module, layers: dict[str, nn.Module], inputs: Tensor
) -> dict[str, Tensor]:
    """(2,) for each layer: the smallest and the largest of its inputs."""
    seen: dict[str, list[Tensor]] = {name: [] for name in layers}
    handles = [
        layer.register_forward_pre_hook(lambda _, args, s=seen[name]: s.extend(args[0].aminmax()))
        for name, layer in layers.items()
    ]
    try:
        predict(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    if unused := [name for name, values in seen.items() if not values]:
        raise ValueError(f"the calibration inputs never reach {', '.join(unused)}")
    return {name: torch.stack(torch.stack(values).aminmax()) for name, values in seen.items()}


def _code_range(bits: int, scheme: str) -> tuple[int, int]:
    if scheme not in SCHEMES:
        raise ValueError(f"scheme is {scheme!r}, expected one of {', '.join(SCHEMES)}")
    if not isinstance(bits, Integral) or isinstance(bits, bool) or not 1 <= bits <= 16:
        raise ValueError(f"bits is {bits!r}, expected an integer from 1 to 16")
    if scheme == "affine":
        return 0, 2**bits - 1
    if bits == 1:
        raise ValueError(
            "symmetric with 1 bit has no value beside zero: use 2 bits (-1, 0, 1) or more, or "
            "scheme='affine'"
        )
    return -(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1


def _range(x: Tensor, axis: int | None) -> tuple[Tensor, Tensor]:
    if axis is None:
        return x.aminmax()
    if not isinstance(axis, Integral) or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis is {axis!r}, expected None or an axis of x, {tuple(x.shape)}")
    rows = x.movedim(axis, 0).reshape(x.shape[axis], -1)  # (C, n)
    shape = [1] * x.ndim
    shape[axis] = -1
    return rows.amin(1).view(shape), rows.amax(1).view(shape)


def _given_range(x: Tensor, limits: Limits) -> tuple[Tensor, Tensor]:
    low, high = (torch.as_tensor(v, dtype=torch.float32, device=x.device) for v in limits)
    if not bool((low <= high).all() and torch.isfinite(low).all() and torch.isfinite(high).all()):
        raise ValueError(f"limits are {limits}, expected finite ones with low <= high")
    return low, high
