"""Fewer bits: sharing, coding and the file."""

from companion.compression.arithmetic import ArithmeticCoder, Decoder, Encoder
from companion.compression.fileformat import SizeRow, compress, decompress, size_report
from companion.compression.huffman import (
    canonical,
    entropy_bits,
    huffman_code,
    huffman_decode,
    huffman_encode,
    kraft_sum,
)
from companion.compression.sharing import SharedWeights, share_weights

__all__ = [
    "ArithmeticCoder", "Decoder", "Encoder", "SharedWeights", "SizeRow", "canonical", "compress",
    "decompress", "entropy_bits", "huffman_code", "huffman_decode", "huffman_encode", "kraft_sum",
    "share_weights", "size_report",
]  # fmt: skip
