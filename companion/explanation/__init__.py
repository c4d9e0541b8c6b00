"""Short stories about long models: maps, importance, attribution and trees."""

from companion.explanation.neighbours import nearest_neighbours
from companion.explanation.pca import pca
from companion.explanation.quality import continuity, trustworthiness
from companion.explanation.tsne import (
    conditional_probabilities,
    joint_probabilities,
    kl_divergence,
    row_perplexity_search,
    tsne,
    tsne_gradient,
)

__all__ = [
    "conditional_probabilities", "continuity", "joint_probabilities", "kl_divergence",
    "nearest_neighbours", "pca", "row_perplexity_search", "trustworthiness", "tsne",
    "tsne_gradient",
]  # fmt: skip
