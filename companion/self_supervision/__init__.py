"""Learning without labels: masks, noise, autoencoders, contrasts, transfer and anomalies.

Masks are bool, True = hidden.  What is drawn at random comes from a `torch.Generator` or a seed
that the caller passes.  `auroc` and `roc_curve` are in `companion.metrics`.
"""

from companion.self_supervision.anomaly import (
    choose_threshold,
    knn_score,
    pca_score,
    reconstruction_score,
)
from companion.self_supervision.autoencoders import (
    Autoencoder,
    ConvAutoencoder,
    SkipAutoencoder,
    conv_encoder,
)
from companion.self_supervision.completion import fill_knn, fill_mean, fill_pca
from companion.self_supervision.contrastive import nt_xent, projector, warp
from companion.self_supervision.masks import (
    hide,
    masked_mse,
    patch_mask,
    random_mask,
    stretch_mask,
    with_mask_channel,
)
from companion.self_supervision.noise import add_noise, gaussian_filter, median_filter, psnr
from companion.self_supervision.pca import PCA, ridge_denoiser
from companion.self_supervision.pretraining import pretrain
from companion.self_supervision.svdd import DeepSVDD
from companion.self_supervision.transfer import (
    Classifier,
    few_labels,
    fine_tune,
    label_efficiency_curve,
    linear_probe,
)

__all__ = [
    "PCA", "Autoencoder", "Classifier", "ConvAutoencoder", "DeepSVDD", "SkipAutoencoder",
    "add_noise", "choose_threshold", "conv_encoder", "few_labels", "fill_knn", "fill_mean",
    "fill_pca", "fine_tune", "gaussian_filter", "hide", "knn_score", "label_efficiency_curve",
    "linear_probe", "masked_mse", "median_filter", "nt_xent", "patch_mask", "pca_score", "pretrain",
    "projector", "psnr", "random_mask", "reconstruction_score", "ridge_denoiser", "stretch_mask",
    "warp", "with_mask_channel",
]  # fmt: skip
