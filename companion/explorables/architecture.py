"""Chapter 02: the conv microscope, and inductive bias in bits."""

from companion.explorables.conv_microscope import compute_conv_microscope, conv_microscope
from companion.explorables.inductive_bias import compute_inductive_bias, inductive_bias

__all__ = [
    "compute_conv_microscope",
    "compute_inductive_bias",
    "conv_microscope",
    "inductive_bias",
]
