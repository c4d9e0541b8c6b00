"""Fewer bits: quantization, pruning, surgery, low rank, distillation, and what they cost.

Weights are (out, in / groups, ...): axis 0 holds the output channels.  What is drawn at random
comes from a `torch.Generator` or a seed that the caller passes.
"""

from companion.compression.costs import (
    Latency,
    LayerCost,
    compare_latency,
    latency,
    layer_costs,
)
from companion.compression.distillation import distill, distillation_loss
from companion.compression.lowrank import (
    break_even_rank,
    factorize_conv,
    factorize_linear,
    rank_for_energy,
)
from companion.compression.pruning import (
    Pruner,
    gradual_density,
    magnitude_mask,
    prunable,
    pruning_masks,
    sensitivity,
)
from companion.compression.quantization import (
    QuantizedLayer,
    QuantizedTensor,
    fake_quantize,
    quantize,
    quantize_model,
)
from companion.compression.surgery import channel_norms, remove_channels

__all__ = [
    "Latency", "LayerCost", "Pruner", "QuantizedLayer", "QuantizedTensor", "break_even_rank",
    "channel_norms", "compare_latency", "distill", "distillation_loss", "factorize_conv",
    "factorize_linear", "fake_quantize", "gradual_density", "latency", "layer_costs",
    "magnitude_mask", "prunable", "pruning_masks", "quantize", "quantize_model", "rank_for_energy",
    "remove_channels", "sensitivity",
]  # fmt: skip
