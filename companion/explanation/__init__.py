"""Short stories about long models: maps, importance, attribution and trees."""

from companion.explanation.fuzzygraph import fuzzy_graph, smooth_knn
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
from companion.explanation.umap import fit_ab, umap

__all__ = [
    "conditional_probabilities", "continuity", "fit_ab", "fuzzy_graph", "joint_probabilities",
    "kl_divergence", "nearest_neighbours", "pca", "row_perplexity_search", "smooth_knn",
    "trustworthiness", "tsne", "tsne_gradient", "umap",
]  # fmt: skip
