# Removes the trend twice.
import torch


def detrend(x, width):
    once = x - moving_average(x, width)
    return once - moving_average(once, width)
