"""Fewer bits: quantization, pruning, surgery, low rank, codes, the file, and what they cost.

Weights are (out, in / groups, ...): axis 0 holds the output channels.  What is drawn at random
comes from a `torch.Generator` or a seed that the caller passes.
"""

from companion.compression.arithmetic import ArithmeticCoder, Decoder, Encoder
from companion.compression.costs import (
    Latency,
    LayerCost,
    compare_latency,
    latency,
    layer_costs,
)
from companion.compression.distillation import distill, distillation_loss
from companion.compression.fileformat import SizeRow, compress, decompress, size_report
from companion.compression.huffman import (
    canonical,
    entropy_bits,
    huffman_code,
    huffman_decode,
    huffman_encode,
    kraft_sum,
)
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
from companion.compression.sharing import SharedWeights, share_weights
from companion.compression.surgery import channel_norms, remove_channels

__all__ = [
    "ArithmeticCoder", "Decoder", "Encoder", "Latency", "LayerCost", "Pruner", "QuantizedLayer",
    "QuantizedTensor", "SharedWeights", "SizeRow", "break_even_rank", "canonical", "channel_norms",
    "compare_latency", "compress", "decompress", "distill", "distillation_loss", "entropy_bits",
    "factorize_conv", "factorize_linear", "fake_quantize", "gradual_density", "huffman_code",
    "huffman_decode", "huffman_encode", "kraft_sum", "latency", "layer_costs", "magnitude_mask",
    "prunable", "pruning_masks", "quantize", "quantize_model", "rank_for_energy", "remove_channels",
    "sensitivity", "share_weights", "size_report",
]  # fmt: skip
