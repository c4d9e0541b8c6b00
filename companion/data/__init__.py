"""The data sets of the course, shipped inside the package: `load("mnist1d")`."""

from companion.data.dataset import Dataset
from companion.data.loading import NAMES, SPLITS, load, load_weights
from companion.data.mnist1d import draw_mnist1d

__all__ = ["NAMES", "SPLITS", "Dataset", "draw_mnist1d", "load", "load_weights"]
