"""Layers written to be read: convolution, pooling, recurrence, batch norm, residuals.

Each takes torch's arguments in torch's order and equals its torch twin; each is differentiable and
computes on the device of its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def output_size(
    n: int, *, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Number of places a window has on `n` points: `floor((n + 2p - d(k - 1) - 1) / s) + 1`.

    Raises:
        ValueError: an argument is out of range, or the window does not fit anywhere.
    """
    _check_sizes(0, n=n)
    _check_window(kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation)
    span = dilation * (kernel_size - 1) + 1
    if n < 1 or n + 2 * padding < span:
        raise ValueError(
            f"a window that spans {span} points (kernel_size={kernel_size}, dilation={dilation}) "
            f"does not fit on {n} points with padding={padding}"
        )
    return (n + 2 * padding - span) // stride + 1


def receptive_field(layers: Sequence[tuple[int, ...]]) -> int:
    """Number of input points that one output of a stack can see.

    `layers` are `(kernel_size, stride)` or `(kernel_size, stride, dilation)`, first layer first.
    """
    if not isinstance(layers, Iterable):
        raise ValueError(
            f"layers is {layers!r}, expected a list of (kernel_size, stride) or "
            "(kernel_size, stride, dilation): one layer alone is [(kernel_size, stride)]"
        )
    field, jump = 1, 1
    for layer in layers:
        if not isinstance(layer, tuple | list) or not 1 <= len(layer) <= 3:
            raise ValueError(
                "a layer is (kernel_size, stride) or (kernel_size, stride, dilation), "
                f"got {layer!r}"
            )
        kernel_size, stride, dilation = (*layer, 1, 1)[:3]
        _check_window(kernel_size=kernel_size, stride=stride, padding=0, dilation=dilation)
        field += dilation * (kernel_size - 1) * jump
        jump *= stride
    return field


def conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int] = 1,
    padding: int | tuple[int] = 0,
    dilation: int | tuple[int] = 1,
) -> Tensor:
    """Cross-correlates series (N, C_in, L) with kernels (C_out, C_in, K) into (N, C_out, L_out).

    Source: LeCun et al., Neural Computation 1(4), 1989 (one dimension: time-delay networks).
    """
    _check_conv(x, weight, bias, n_dims=1)
    steps, pads = _times(1, stride=stride), _times(1, padding=padding)
    windows = _windows(x, weight.shape[-1:], steps, pads, _times(1, dilation=dilation))
    y = torch.einsum("nclk,ock->nol", windows, weight)  # windows: (N, C_in, L_out, K)
    return y if bias is None else y + bias[:, None]


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Cross-correlates images (N, C_in, H, W) with kernels (C_out, C_in, K_h, K_w).

    Returns (N, C_out, H_out, W_out).  For each place in the kernel, one shifted copy of the image;
    side by side these copies are the patches, and the layer is one product of patches with kernels.

    Source: LeCun et al., Neural Computation 1(4), 1989; as a matrix product: im2col.
    """
    _check_conv(x, weight, bias, n_dims=2)
    s_h, s_w = _times(2, stride=stride)
    p_h, p_w = _times(2, padding=padding)
    d_h, d_w = _times(2, dilation=dilation)
    k_h, k_w = weight.shape[-2:]
    h = output_size(x.shape[-2], kernel_size=k_h, stride=s_h, padding=p_h, dilation=d_h)
    w = output_size(x.shape[-1], kernel_size=k_w, stride=s_w, padding=p_w, dilation=d_w)
    x = F.pad(x, (p_w, p_w, p_h, p_h)).permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
    shifted = [
        x[:, i : i + s_h * (h - 1) + 1 : s_h, j : j + s_w * (w - 1) + 1 : s_w]
        for i in range(0, d_h * k_h, d_h)
        for j in range(0, d_w * k_w, d_w)
    ]
    patches = torch.cat(shifted, dim=-1)  # (N, H_out, W_out, K_h*K_w*C_in)
    kernels = weight.permute(2, 3, 1, 0).flatten(0, 2)  # (K_h*K_w*C_in, C_out)
    y = patches @ kernels if bias is None else patches @ kernels + bias
    return y.permute(0, 3, 1, 2)  # (N, H_out, W_out, C_out) -> (N, C_out, H_out, W_out)


def max_pool1d(
    x: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] = 0,
) -> Tensor:
    """Largest value in each window of (N, C, L).  `stride` is `kernel_size` by default."""
    windows = _pool_windows(x, kernel_size, stride, padding, fill=-torch.inf, n_dims=1)
    return windows.amax(-1)


def max_pool2d(
    x: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
) -> Tensor:
    """Largest value in each window of (N, C, H, W).

    Where several values tie, the gradient is shared equally among them (torch's own layer gives it
    to the first).
    """
    windows = _pool_windows(x, kernel_size, stride, padding, fill=-torch.inf, n_dims=2)
    return windows.amax((-2, -1))


def avg_pool1d(
    x: Tensor,
    kernel_size: int | tuple[int],
    stride: int | tuple[int] | None = None,
    padding: int | tuple[int] = 0,
) -> Tensor:
    """Mean of each window of (N, C, L); padded zeros count, as in torch."""
    return _pool_windows(x, kernel_size, stride, padding, fill=0.0, n_dims=1).mean(-1)


def avg_pool2d(
    x: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
) -> Tensor:
    """Mean of each window of (N, C, H, W); padded zeros count, as in torch."""
    windows = _pool_windows(x, kernel_size, stride, padding, fill=0.0, n_dims=2)
    return windows.mean((-2, -1))


class BatchNorm(nn.Module):
    """Normalizes each channel over the batch and all positions; twin of `nn.BatchNorm1d/2d`.

    Takes (N, C), (N, C, L) or (N, C, H, W).  In training mode uses the batch's mean and biased
    variance and moves the running statistics (unbiased variance) by `momentum`; in evaluation mode
    uses the running statistics, so an example's output does not depend on its batch.

    Source: Ioffe & Szegedy, ICML 2015.
    """

    def __init__(self, n_channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        _check_sizes(1, n_channels=n_channels)
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))

    def forward(self, x: Tensor) -> Tensor:
        _check_tensors(x=x)
        if x.ndim < 2 or x.shape[1] != len(self.weight):
            raise ValueError(
                f"batch norm over {len(self.weight)} channels got shape {tuple(x.shape)}: "
                "channels are dimension 1, as in (N, C), (N, C, L) or (N, C, H, W)"
            )
        if x.dtype != self.weight.dtype:
            raise ValueError(
                f"batch norm got {x.dtype}, its weights are {self.weight.dtype}: "
                "all must be the same floating-point dtype (x.float(), or layer.double())"
            )
        over = [d for d in range(x.ndim) if d != 1]
        as_channels = (-1,) + (1,) * (x.ndim - 2)  # (C,) -> (C, 1, ...)
        if self.training:
            n = x.numel() // x.shape[1]
            if n < 2:
                raise ValueError(
                    "batch norm in training mode needs more than one value per channel, "
                    f"got {n}: "
                    "use a larger batch, or model.eval()"
                )
            mean, var = x.mean(over), x.var(over, unbiased=False)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * n / (n - 1), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight / torch.sqrt(var + self.eps)
        return (x - mean.view(as_channels)) * scale.view(as_channels) + self.bias.view(as_channels)


def rnn_cell(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
) -> Tensor:
    """One step of a plain recurrent network: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`.

    x (N, I), h (N, H), weight_ih (H, I), weight_hh (H, H), biases (H,); returns (N, H).

    Source: Elman, Cognitive Science 14(2), 1990.
    """
    _check_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh, n_gates=1)
    return torch.tanh(_affine(x, weight_ih, bias_ih) + _affine(h, weight_hh, bias_hh))


def gru_cell(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
) -> Tensor:
    """One step of a gated recurrent unit; gates stacked in torch's order: reset, update, new.

    `r = s(W_ir x + W_hr h)`, `z = s(W_iz x + W_hz h)`, `n = tanh(W_in x + r * (W_hn h + b_hn))`,
    `h' = (1 - z) n + z h`.  x (N, I), h (N, H), weight_ih (3H, I), weight_hh (3H, H), biases (3H,).

    Source: Cho et al., EMNLP 2014 (with the reset gate applied after the matrix, as in torch).
    """
    _check_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh, n_gates=3)
    reset_x, update_x, new_x = _affine(x, weight_ih, bias_ih).chunk(3, dim=-1)
    reset_h, update_h, new_h = _affine(h, weight_hh, bias_hh).chunk(3, dim=-1)
    reset = torch.sigmoid(reset_x + reset_h)
    update = torch.sigmoid(update_x + update_h)
    new = torch.tanh(new_x + reset * new_h)
    return (1 - update) * new + update * h


class Residual(nn.Module):
    """Adds a shortcut around `body`: `x + body(x)`, or `shortcut(x) + body(x)`.

    The default shortcut is the identity, so body must keep the shape.

    Source: He, Zhang, Ren & Sun, CVPR 2016.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut if shortcut is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        change, kept = self.body(x), self.shortcut(x)
        if change.shape != kept.shape:
            raise ValueError(
                f"the body gives shape {tuple(change.shape)}, the shortcut {tuple(kept.shape)}: "
                "where a block changes its shape, give the shortcut a 1x1 convolution with the "
                "same stride and channels"
            )
        return kept + change


def _windows(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    fill: float = 0.0,
) -> Tensor:
    """Every place of the window: (N, C, *spatial) -> (N, C, *places, *kernel)."""
    n_dims = len(kernel)
    for n, k, s, p, d in zip(x.shape[-n_dims:], kernel, stride, padding, dilation, strict=True):
        output_size(n, kernel_size=k, stride=s, padding=p, dilation=d)
    if any(padding):
        x = F.pad(x, [p for p in reversed(padding) for _ in range(2)], value=fill)
    for dim in range(n_dims):
        span = dilation[dim] * (kernel[dim] - 1) + 1
        x = x.unfold(2 + dim, span, stride[dim])[..., :: dilation[dim]]
    return x


def _pool_windows(
    x: Tensor,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None,
    padding: int | tuple[int, ...],
    *,
    fill: float,
    n_dims: int,
) -> Tensor:
    _check_tensors(x=x)
    if x.ndim != n_dims + 2:
        raise ValueError(
            f"pooling over {n_dims} dimensions takes {n_dims + 2}-dimensional input "
            f"(N, C, ...), got shape {tuple(x.shape)}"
        )
    if not x.is_floating_point():
        raise ValueError(f"pooling takes floating-point input, got {x.dtype}: use x.float()")
    kernel = _times(n_dims, kernel_size=kernel_size)
    _check_sizes(1, kernel_size=min(kernel))
    steps = kernel if stride is None else _times(n_dims, stride=stride)
    pads = _times(n_dims, padding=padding)
    if any(p > k // 2 for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(f"padding {pads} is more than half the kernel_size {kernel}")
    return _windows(x, kernel, steps, pads, (1,) * n_dims, fill)


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    y = x @ weight.T
    return y if bias is None else y + bias


def _times(n_dims: int, **argument: int | tuple[int, ...]) -> tuple[int, ...]:
    """`_times(2, stride=3)` is (3, 3); an error names the argument."""
    ((name, value),) = argument.items()
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * n_dims
    if len(values) != n_dims or not all(isinstance(v, Integral) for v in values):
        raise ValueError(f"{name}: expected an integer or {n_dims} of them, got {value!r}")
    return tuple(int(v) for v in values)


def _check_sizes(least: int, **sizes: int) -> None:
    for name, value in sizes.items():
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def _check_window(*, kernel_size: int, stride: int, padding: int, dilation: int) -> None:
    _check_sizes(1, kernel_size=kernel_size, stride=stride, dilation=dilation)
    _check_sizes(0, padding=padding)


def _check_tensors(**tensors: Tensor | None) -> None:
    for name, value in tensors.items():
        is_left_out = value is None and name.startswith("bias")
        if not isinstance(value, Tensor) and not is_left_out:
            raise ValueError(
                f"{name} is a {type(value).__name__}, expected a tensor: "
                "torch.tensor(numbers) makes one of a list or an array"
            )


def _check_dtypes(**tensors: Tensor | None) -> None:
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    dtypes = [tensor.dtype for tensor in given.values()]
    if len(set(dtypes)) > 1 or not dtypes[0].is_floating_point:
        raise ValueError(
            f"{', '.join(given)} have dtypes {dtypes}: all must be the same "
            "floating-point dtype (integer images: x.float())"
        )


def _check_conv(x: Tensor, weight: Tensor, bias: Tensor | None, *, n_dims: int) -> None:
    _check_tensors(x=x, weight=weight, bias=bias)
    shape = "(N, C_in, L)" if n_dims == 1 else "(N, C_in, H, W)"
    if x.ndim != n_dims + 2:
        raise ValueError(
            f"conv{n_dims}d takes input {shape}, got shape {tuple(x.shape)}: "
            "add the batch or channel dimension with x.unsqueeze"
        )
    if weight.ndim != n_dims + 2 or weight.shape[1] != x.shape[1]:
        raise ValueError(
            f"weight has shape {tuple(weight.shape)}, expected (C_out, {x.shape[1]}, "
            f"{'K' if n_dims == 1 else 'K_h, K_w'}) for input with {x.shape[1]} channels: "
            "channels are dimension 1 (channels-last input?)"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias has shape {tuple(bias.shape)}, expected ({weight.shape[0]},)")
    _check_dtypes(x=x, weight=weight, bias=bias)


def _check_cell(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None,
    bias_hh: Tensor | None,
    *,
    n_gates: int,
) -> None:
    parameters = {
        "weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh,
    }  # fmt: skip
    _check_tensors(x=x, h=h, **parameters)
    if x.ndim != 2 or h.ndim != 2 or len(x) != len(h):
        raise ValueError(
            f"a cell takes input (N, I) and state (N, H), got {tuple(x.shape)} and "
            f"{tuple(h.shape)}: one step at a time, with one state per example"
        )
    size = n_gates * h.shape[-1]
    shapes = [(size, x.shape[-1]), (size, h.shape[-1]), (size,), (size,)]
    for (name, parameter), shape in zip(parameters.items(), shapes, strict=True):
        if parameter is not None and tuple(parameter.shape) != shape:
            raise ValueError(
                f"{name} has shape {tuple(parameter.shape)}, expected {shape} for input "
                f"{tuple(x.shape)} and state {tuple(h.shape)}"
            )
    _check_dtypes(x=x, h=h, **parameters)
