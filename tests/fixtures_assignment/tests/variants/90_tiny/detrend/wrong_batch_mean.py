# Subtracts the mean over the batch.
import torch


def detrend(x, width):
    return x - x.mean(dim=0, keepdim=True)
