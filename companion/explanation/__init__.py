"""Short stories about long models: maps, importance, attribution, trees, and what each leaves out.

A classifier is anything that maps (n, ...) to logits (n, k), in evaluation mode; `target` is a
class or one class for each example.  What is drawn at random comes from a `torch.Generator` or a
seed that the caller passes.
"""

from companion.explanation.curves import Curve, deletion_curve, insertion_curve
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
from companion.explanation.shapley import ShapleyValues, coalitions, exact_shapley, shapley_values
from companion.explanation.tsne import (
    conditional_probabilities,
    joint_probabilities,
    kl_divergence,
    row_perplexity_search,
    tsne,
    tsne_gradient,
)

__all__ = [
    "Curve", "Importance", "PathGradients", "ShapleyValues", "coalitions", "completeness_gap",
    "conditional_probabilities", "continuity", "deletion_curve", "exact_shapley", "grad_cam",
    "gradient_times_input", "guided_backpropagation", "insertion_curve", "integrated_gradients",
    "joint_probabilities", "kl_divergence", "nearest_neighbours", "occlusion", "path_gradients",
    "pca", "permutation_importance", "randomization_check", "randomized", "rank_correlation",
    "row_perplexity_search", "saliency", "shapley_values", "trustworthiness", "tsne",
    "tsne_gradient",
]  # fmt: skip
