"""Short stories about long models: maps, importance, attribution, trees, and what each leaves out.

A classifier is anything that maps (n, ...) to logits (n, k), in evaluation mode; `target` is a
class or one class for each example.  What is drawn at random comes from a `torch.Generator` or a
seed that the caller passes.
"""

from companion.explanation.curves import Curve, deletion_curve, insertion_curve
from companion.explanation.drawing import SVG, draw_tree
from companion.explanation.fuzzygraph import fuzzy_graph, smooth_knn
from companion.explanation.gradcam import grad_cam
from companion.explanation.gradients import (
    PathGradients,
    completeness_gap,
    gradient_times_input,
    integrated_gradients,
    path_gradients,
    saliency,
)
from companion.explanation.guided import guided_backpropagation
from companion.explanation.neighbours import nearest_neighbours
from companion.explanation.occlusion import occlusion
from companion.explanation.pca import pca
from companion.explanation.permutation import Importance, permutation_importance
from companion.explanation.quality import continuity, trustworthiness
from companion.explanation.randomization import randomization_check, randomized, rank_correlation
from companion.explanation.rules import path_rules, tree_rules
from companion.explanation.shapley import ShapleyValues, coalitions, exact_shapley, shapley_values
from companion.explanation.softtree import SoftTree, train_soft_tree
from companion.explanation.surrogate import answers, fidelity, queries, surrogate_tree
from companion.explanation.tree import (
    Split,
    Tree,
    best_split,
    flip_split,
    grow_tree,
    recount,
    with_split,
)
from companion.explanation.treebits import (
    codes_by_leaves,
    exception_bits,
    label_bits,
    on_grid,
    surrogate_bits,
    tree_bits,
)
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
    "Curve", "Importance", "PathGradients", "SVG", "ShapleyValues", "SoftTree", "Split", "Tree",
    "answers", "best_split", "coalitions", "codes_by_leaves", "completeness_gap",
    "conditional_probabilities", "continuity", "deletion_curve", "draw_tree", "exact_shapley",
    "exception_bits", "fidelity", "fit_ab", "flip_split", "fuzzy_graph", "grad_cam",
    "gradient_times_input", "grow_tree", "guided_backpropagation", "insertion_curve",
    "integrated_gradients", "joint_probabilities", "kl_divergence", "label_bits",
    "nearest_neighbours", "occlusion", "on_grid", "path_gradients", "path_rules", "pca",
    "permutation_importance", "queries", "randomization_check", "randomized",
    "rank_correlation", "recount", "row_perplexity_search", "saliency", "shapley_values",
    "smooth_knn", "surrogate_bits", "surrogate_tree", "train_soft_tree", "tree_bits",
    "tree_rules", "trustworthiness", "tsne", "tsne_gradient", "umap", "with_split",
]  # fmt: skip
