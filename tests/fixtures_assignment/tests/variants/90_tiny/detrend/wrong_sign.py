# Trend minus series.
import torch


def detrend(x, width):
    return moving_average(x, width) - x
