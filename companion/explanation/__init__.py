"""Short stories about long models: importance, attribution, and the checks that catch their lies.

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
from companion.explanation.occlusion import occlusion
from companion.explanation.permutation import Importance, permutation_importance
from companion.explanation.randomization import (
    randomization_check,
    randomized,
    rank_correlation,
)
from companion.explanation.shapley import (
    ShapleyValues,
    coalitions,
    exact_shapley,
    shapley_values,
)

__all__ = [
    "Curve", "Importance", "PathGradients", "ShapleyValues", "coalitions", "completeness_gap",
    "deletion_curve", "exact_shapley", "grad_cam", "gradient_times_input",
    "guided_backpropagation", "insertion_curve", "integrated_gradients", "occlusion",
    "path_gradients", "permutation_importance", "randomization_check", "randomized",
    "rank_correlation", "saliency", "shapley_values",
]  # fmt: skip
