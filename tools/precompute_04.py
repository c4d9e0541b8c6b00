"""Chapter 04's long computations without labels: filling gaps, removing noise, anomalies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from companion import training
from companion.data import Dataset, load
from companion.device import seed_everything
from companion.metrics import auroc, roc_curve
from companion.self_supervision import (
    PCA,
    Autoencoder,
    DeepSVDD,
    SkipAutoencoder,
    add_noise,
    conv_encoder,
    fill_knn,
    fill_mean,
    fill_pca,
    gaussian_filter,
    knn_score,
    masked_mse,
    median_filter,
    patch_mask,
    pca_score,
    pretrain,
    pretraining,
    psnr,
    random_mask,
    reconstruction_score,
    ridge_denoiser,
    warp,
    with_mask_channel,
)
from companion.self_supervision.neighbours import nearest
from companion.training import predict

SEEDS = (0, 1, 2)


def split(name: str) -> tuple[Dataset, Dataset]:
    """3,500 training images to learn from, 500 to choose settings on; the test split is apart."""
    return load(name).hold_out(500, torch.Generator().manual_seed(7))


# ---- missing values ------------------------------------------------------------------------------


def best_plane() -> dict[str, Any]:
    """Components and ridge of PCA's completion, chosen on held-out images with half hidden."""
    rest, held_out = split("mnist")
    generator = torch.Generator().manual_seed(7)
    mask = patch_mask(held_out.inputs.shape, patch=4, share=0.5, generator=generator)
    candidates = [{"n_components": k, "ridge": r} for k in (60, 100) for r in (None, 0.03, 0.1)]

    def error(settings: dict[str, Any]) -> float:
        output = fill_pca(held_out.inputs, mask, rest.inputs, **settings).clamp(0, 1)
        return masked_mse(output, held_out.inputs, mask).item()

    return min(candidates, key=error)


def completion() -> dict[str, Any]:
    """Mean squared error on hidden tiles of test images, by the share that is hidden."""
    train, test = load("mnist").inputs, load("mnist", split="test").inputs
    rows, plane = [], best_plane()
    for seed in SEEDS:
        seed_everything(seed)
        network = SkipAutoencoder(16, in_channels=2)
        blind = SkipAutoencoder(16, in_channels=1)
        for model in (network, blind):
            pretrain(
                model, train, task="masked", patch=4, share=0.5, epochs=20, lr=2e-2, seed=seed,
                mask_channel=model is network, augment=warp, progress=False,
            )  # fmt: skip
        for share in (0.25, 0.5, 0.75):
            generator = torch.Generator().manual_seed(seed)
            mask = patch_mask(test.shape, patch=4, share=share, generator=generator)
            found = {
                "mean": fill_mean(test, mask, train),
                "neighbours": fill_knn(test, mask, train, k=5),
                "plane": fill_pca(test, mask, train, **plane),
                "network": predict(network, with_mask_channel(test, mask)),
                "network, not told where": predict(blind, test.masked_fill(mask, 0.0)),
            }
            for method, output in found.items():
                error = masked_mse(output.clamp(0, 1), test, mask).item()
                rows.append({"method": method, "share": share, "seed": seed,
                             "error": round(error, 5)})  # fmt: skip
        print([(r["method"], r["share"], r["error"]) for r in rows[-15:]], flush=True)
    return {"seeds": list(SEEDS), "trained_at": 0.5, "plane": plane, "rows": rows}


def standardized_table() -> tuple[Tensor, Tensor]:
    """The breast cancer measurements (455, 30) and (114, 30) in units of the training spread."""
    train, test = load("breast_cancer").inputs, load("breast_cancer", split="test").inputs
    mean, std = train.mean(0), train.std(0)
    return (train - mean) / std, (test - mean) / std


def table_network() -> nn.Sequential:
    """(N, 2, 30), the measurements and which are missing, -> (N, 30)."""
    return nn.Sequential(nn.Flatten(), nn.Linear(60, 128), nn.ReLU(), nn.Linear(128, 30))


def table() -> dict[str, Any]:
    """Mean squared error on missing measurements, in units of their variance."""
    train, test = standardized_table()
    rows = []
    for seed in SEEDS:
        for share in (0.1, 0.3, 0.5):
            seed_everything(seed)
            network = table_network()
            pretrain(
                network, train, task="masked", share=share, mask_channel=True, epochs=300,
                batch_size=64, lr=1e-3, seed=seed, progress=False,
            )  # fmt: skip
            many = test.repeat(20, 1)  # few tumours, so twenty masks for each
            mask = random_mask(many.shape, share, generator=torch.Generator().manual_seed(seed))
            found = {
                "mean": fill_mean(many, mask, train),
                "neighbours": fill_knn(many, mask, train, k=5),
                "plane": fill_pca(many, mask, train, n_components=10),
                "network": predict(network, with_mask_channel(many, mask)),
            }
            for method, output in found.items():
                error = masked_mse(output, many, mask).item()
                rows.append({"method": method, "share": share, "seed": seed,
                             "error": round(error, 4)})  # fmt: skip
        print([(r["method"], r["share"], r["error"]) for r in rows[-12:]], flush=True)
    return {"seeds": list(SEEDS), "rows": rows}


# ---- noise ---------------------------------------------------------------------------------------


def filters(noisy: Tensor, clean: Tensor) -> dict[str, dict[str, Callable[[Tensor], Tensor]]]:
    """Candidates by method; the plane and the linear map learn from the pairs."""
    return {
        "median": {f"{s} x {s}": lambda x, s=s: median_filter(x, s) for s in (3, 5)},
        "blur": {f"{s}": lambda x, s=s: gaussian_filter(x, s) for s in (0.5, 0.75, 1.0, 1.5)},
        "plane": {f"{k}": PCA(k).fit(clean).reconstruct for k in (15, 30, 60, 120)},
        "linear map": {
            f"{c:g}": (lambda model: lambda x: predict(model, x))(ridge_denoiser(noisy, clean, c))
            for c in (10.0, 100.0, 1000.0)
        },
    }


def denoise() -> dict[str, Any]:
    """PSNR in dB on noisy test images; each filter's setting is chosen on held-out images."""
    (rest, held_out), test = split("mnist"), load("mnist", split="test").inputs
    rows, chosen = [], {}
    noises = {"gaussian": (0.3, 0.6), "salt_and_pepper": (0.2, 0.4)}
    for kind, amount in [(k, a) for k, amounts in noises.items() for a in amounts]:
        spoiled = {"kind": kind, "amount": amount}
        copies = rest.inputs.repeat(3, 1, 1, 1)
        noisy = add_noise(copies, **spoiled, generator=torch.Generator().manual_seed(7))
        judged = add_noise(held_out.inputs, **spoiled, generator=torch.Generator().manual_seed(8))
        best = {}
        for method, candidates in filters(noisy, copies).items():
            scores = {
                name: psnr(f(judged).clamp(0, 1), held_out.inputs) for name, f in candidates.items()
            }
            name = max(scores, key=scores.__getitem__)
            best[method], chosen[f"{kind} {amount}|{method}"] = candidates[name], name
        for seed in SEEDS:
            seed_everything(seed)
            network = SkipAutoencoder(16)
            pretrain(
                network, load("mnist").inputs, task="denoise", noise=kind, amount=amount,
                epochs=25, lr=2e-2, seed=seed, progress=False,
            )  # fmt: skip
            x = add_noise(test, **spoiled, generator=torch.Generator().manual_seed(seed))
            found = {"nothing": x, **{m: f(x) for m, f in best.items()}}
            found["network"] = predict(network, x)
            for method, output in found.items():
                rows.append({"noise": f"{kind} {amount}", "method": method, "seed": seed,
                             "psnr": round(psnr(output.clamp(0, 1), test), 3)})  # fmt: skip
        print([(r["method"], r["psnr"]) for r in rows[-6:]], flush=True)
    return {"seeds": list(SEEDS), "chosen": chosen, "rows": rows}


# ---- anomalies -----------------------------------------------------------------------------------


def restored(x: Tensor, normal: Tensor, seed: int, make: Callable[[], nn.Module], **task: Any):
    """Scores by reconstruction of a network that was trained on normal images."""
    seed_everything(seed)
    model = make()
    pretrain(model, normal, seed=seed, progress=False, **task)
    return reconstruction_score(model, x)


def svdd(x: Tensor, normal: Tensor, seed: int, epochs: int) -> Tensor:
    seed_everything(seed)
    detector = DeepSVDD(conv_encoder(32, 16, bias=False))
    detector.fit(normal, epochs=epochs, batch_size=64, seed=seed, progress=False)
    return detector.score(x)


def isolation(x: Tensor, normal: Tensor, seed: int) -> Tensor:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=seed).fit(normal.flatten(1).numpy())
    return -torch.from_numpy(forest.score_samples(x.flatten(1).numpy()))


def detectors() -> dict[str, Callable[[Tensor, Tensor, int], Tensor]]:
    """Scores `(x, normal, seed) -> (N,)`; one digit, or all ten, for which all take more."""

    def epochs(normal: Tensor) -> int:
        n_steps = 600 if len(normal) < 1000 else 3000  # of 64 examples
        return math.ceil(n_steps / math.ceil(len(normal) / 64))

    def n_components(normal: Tensor) -> int:
        return 30 if len(normal) < 1000 else 100

    def mlp() -> nn.Module:
        return Autoencoder(784, (256,), 32)

    return {
        "1-NN": lambda x, normal, seed: knn_score(x, normal),
        "plane": lambda x, normal, seed: pca_score(x, normal, n_components=n_components(normal)),
        "isolation forest": isolation,
        "autoencoder": lambda x, normal, seed: restored(
            x, normal, seed, mlp, epochs=epochs(normal), batch_size=64
        ),
        "denoising autoencoder": lambda x, normal, seed: restored(
            x, normal, seed, mlp, task="denoise", amount=0.3, epochs=epochs(normal), batch_size=64
        ),
        "Deep SVDD": lambda x, normal, seed: svdd(x, normal, seed, epochs(normal)),
    }


def one_class() -> dict[str, Any]:
    """AUROC with one digit as normal and the nine others as anomalies; and garments in digits."""
    train, test = load("mnist"), load("mnist", split="test")
    garments = load("fashion_mnist", split="test").inputs
    mixed = torch.cat([test.inputs, garments])
    is_garment = torch.arange(len(mixed)) >= len(test)
    rows = []
    for method, score in detectors().items():
        seeds = SEEDS[:1] if method in ("1-NN", "plane") else SEEDS
        for seed in seeds:
            areas = []
            for digit in range(10):
                normal = train.inputs[train.targets == digit]
                areas.append(auroc(score(test.inputs, normal, seed), test.targets != digit))
            garment = auroc(score(mixed, train.inputs, seed), is_garment)
            rows.append({"method": method, "seed": seed, "auroc": [round(a, 4) for a in areas],
                         "garments": round(garment, 4)})  # fmt: skip
            mean = sum(areas) / 10
            print(method, seed, round(mean, 4), rows[-1]["garments"], flush=True)
    return {"seeds": list(SEEDS), "rows": rows}


JOBS = {"completion": completion, "table": table, "denoise": denoise, "one_class": one_class}

TRAINING = (
    training._run_epoch,
    training._make_optimizer,
    training._make_schedule,
    Dataset.batches,
)
IMAGES = ("mnist.npz", "splits.npz", *TRAINING)
TASK = (pretraining.pretrain, pretraining._reconstruct, pretraining._outputs)
GAPS = (
    pretraining._masked, masked_mse, with_mask_channel, fill_mean, fill_knn, fill_pca, nearest, PCA,
)  # fmt: skip
NOISE = (pretraining._denoise, add_noise)
COVERS = {
    "completion": (*IMAGES, *TASK, *GAPS, patch_mask, warp, SkipAutoencoder, split, best_plane),
    "table": (*TRAINING, *TASK, *GAPS, random_mask, standardized_table, table_network),
    "denoise": (
        *IMAGES, *TASK, *NOISE, psnr, median_filter, gaussian_filter, PCA, ridge_denoiser,
        SkipAutoencoder, split, filters,
    ),
    "one_class": (
        *IMAGES, "fashion_mnist.npz", *TASK, *NOISE, roc_curve, knn_score, pca_score, nearest, PCA,
        reconstruction_score, DeepSVDD, conv_encoder, Autoencoder, restored, svdd,
        isolation, detectors,
    ),
}  # fmt: skip
