"""The attribution lie detector: a heat map, and instruments that say whether to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from companion.explorables.view import Explorable, front_end, number, preset
from companion.explorables.walks import (
    BASELINES,
    N_DELETIONS,
    N_PLACES,
    NETWORKS,
    SIDE,
    Walks,
    stored_images,
    stored_network,
)

METHODS = {
    "integrated": "integrated gradients",
    "gradient": "gradient",
    "product": "gradient × input",
    "guided": "guided backpropagation",
}
STEPS = (1, 2, 4, 8, 16, 32, 64)
MOST_IMAGES = 100
ANSWER = -1  # the class that the trained network gives

PRESETS = (
    preset(
        "a fair walk",
        "Integrated gradients on the way from black to the digit. What was collected adds up to "
        "what the logit rose; a network with a random last layer has quite another map; and once "
        "the strongest pixels are blackened, the answer is gone.",
        image=19, method="integrated", baseline="black", n_steps=64, share=100,
        network="trained", target=ANSWER,
    ),
    preset(
        "baseline white",
        "The same network and digit, walked to from white. The sum is right again, and the map "
        "another: it explains why the picture is not white. Marked are pixels that are black as "
        "it is, so that blackening them does less than a random order does.",
        image=19, method="integrated", baseline="white", n_steps=64, share=100,
        network="trained", target=ANSWER,
    ),
    preset(
        "too few steps",
        "One gradient, from the middle of the way, stands for the whole of it. The map looks like "
        "the fair one. Only the meter shows that the sum is wrong.",
        image=19, method="integrated", baseline="black", n_steps=1, share=100,
        network="trained", target=ANSWER,
    ),
    preset(
        "the random network",
        "Guided backpropagation, sharp and convincing, of a network whose last layer was drawn "
        "at random. The trained network's map beside it is much the same: both show the digit, "
        "and neither what was learned.",
        image=19, method="guided", baseline="black", n_steps=64, share=100, network="random",
        target=ANSWER,
    ),
    preset(
        "the wrong class",
        "Why is this nine a four? The question is wrong, and the map does not say so: it marks "
        "strokes, and they add up. Only the probability, at the left end of the right chart, is "
        "none to explain.",
        image=19, method="integrated", baseline="black", n_steps=64, share=100,
        network="trained", target=4,
    ),
)  # fmt: skip
OPENING: dict[str, Any] = dict(PRESETS[0]["state"])


def compute_lie_detector(
    walks: Walks,
    *,
    image: int,
    method: str,
    baseline: str,
    n_steps: int,
    share: int,
    network: str,
    target: int,
) -> dict[str, Any]:
    """A map of one picture, its sum against what the logit rose, and two checks of it.

    `share` is how far the way from the `baseline` has been walked, in per cent: integrated
    gradients are what was collected so far in `n_steps` steps for the whole way, the other methods
    are asked about the picture as it is there.  `network` is "trained" or "random" (its last layer
    drawn anew), `target` a class, or -1 for the answer of the trained network.

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    for name, value, known in (
        ("method", method, METHODS), ("baseline", baseline, BASELINES),
        ("n_steps", n_steps, STEPS), ("network", network, NETWORKS),
    ):  # fmt: skip
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"no {name} {value!r}: expected one of {', '.join(map(str, known))}")
    for name, value, least, most in (
        ("image", image, 0, len(walks.images) - 1), ("share", share, 0, 100),
        ("target", target, ANSWER, 9),
    ):  # fmt: skip
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not least <= value <= most:
            raise ValueError(f"{name} must be an integer in {least} ... {most}, got {value!r}")
    chosen = walks.answers[image] if target == ANSWER else target
    far = share / 100
    found, other, same, deletion, area = walks.report(
        method, network, image, baseline, chosen, int(n_steps), far
    )
    logits = walks.logits(network, image, baseline)  # (41, 10)
    risen = logits[:, chosen] - logits[0, chosen]
    steps = walks.gradients(network, image, baseline, chosen, int(n_steps)).sum((1, 2))
    random = walks.random_deletion(network, image, chosen)
    with torch.no_grad():
        here = walks.networks[network](walks.point(image, baseline, torch.tensor([far])))[0]
    data: dict[str, Any] = {
        "picture": _plain(walks.point(image, baseline, torch.tensor([far]))[0, 0]),
        "map": _scaled(found),
        "other": _scaled(other),
        "correlation": None if same is None else round(same, 2),
        "risen": [round(v, 3) for v in risen.tolist()],
        "steps": [round(v, 3) for v in [0.0, *steps.cumsum(0).tolist()]],
        "sum": round(found.sum().item(), 2),
        "rise": round((here[chosen] - logits[0, chosen]).item(), 2),
        "deletion": [round(p, 3) for p in deletion],
        "random": [round(p, 3) for p in random],
        "area": round(area, 3),
        "random_area": round(float(np.trapezoid(random, dx=1 / N_DELETIONS)), 3),
        "probability": round(here.softmax(0)[chosen].item(), 3),
        "answer": walks.answers[image],
        "target": chosen,
        "settings": {
            "method": METHODS[method], "is_integrated": method == "integrated", "share": share,
            "baseline": BASELINES[baseline], "n_steps": int(n_steps), "network": network,
        },
    }  # fmt: skip
    data["text"] = _account(data)
    return data


def lie_detector(model: nn.Module | None = None, images: Tensor | None = None) -> Explorable:
    """A heat map of a digit with a completeness meter, a network without memory, and a rubber.

    Without arguments it is a stored network of 20 thousand weights (`make precompute
    ONLY=06/lie_detector`) and digits that it has not learned from.  `model` maps (n, 1, 28, 28) to
    ten logits and is in evaluation mode; `images` is (n, 1, 28, 28) with n up to 100.

    Raises:
        ValueError: a model or images that do not fit.
        FileNotFoundError: the stored network is missing.
    """
    images = stored_images() if images is None else images
    if images.shape[1:] != (1, SIDE, SIDE) or not 1 <= len(images) <= MOST_IMAGES:
        raise ValueError(
            f"images have the shape {tuple(images.shape)}, expected (n, 1, 28, 28), 1 to "
            f"{MOST_IMAGES} of them"
        )
    if model is not None and not isinstance(model, nn.Module):
        raise ValueError(f"model must be an nn.Module with ten logits, got {model!r}")
    walks = Walks(stored_network() if model is None else model, images.detach().float())
    opening = {**OPENING, "image": min(OPENING["image"], len(images) - 1)}
    return _LieDetector(
        lambda **state: compute_lie_detector(walks, **state),
        state=opening,
        setup={
            "question": "Can you make the map lie?",
            "n_images": len(images),
            "methods": [list(item) for item in METHODS.items()],
            "baselines": [list(item) for item in BASELINES.items()],
            "networks": [list(item) for item in NETWORKS.items()],
            "steps": list(STEPS),
            "n_places": N_PLACES,
            "classes": [[ANSWER, "its answer"], *([k, str(k)] for k in range(10))],
            "presets": [{**p, "state": {**p["state"], "image": opening["image"]}} for p in PRESETS],
        },
        picture=_draw_detector,
        describe=_describe_detector,
    )


class _LieDetector(Explorable):
    _esm = front_end("lie_detector")


def _plain(values: Tensor) -> list[list[float]]:
    return (values.double() * 1e2).round().div(1e2).add(0.0).tolist()  # + 0.0: no negative zero


def _scaled(values: Tensor) -> list[list[float]]:
    """The map divided by its largest absolute value."""
    return _plain(values / values.abs().max().clamp_min(1e-12))


def _account(data: Mapping[str, Any]) -> str:
    settings = data["settings"]
    who = "the trained network" if settings["network"] == "trained" else "the random network"
    question = f"Why {data['target']}, asked of {who}"
    if data["target"] != data["answer"]:
        question += f" (the trained one says {data['answer']})"
    far = "" if settings["share"] == 100 else f", {settings['share']}\u00a0% of the way"
    total = (
        f"the map sums to {number(data['sum'])}, the logit rose by {number(data['rise'])}"
        if settings["is_integrated"]
        else f"the map sums to {number(data['sum'])}, and nothing says that it should be the "
        f"logit's rise, {number(data['rise'])}"
    )
    same = (
        "without a rank correlation, for a map is constant"
        if data["correlation"] is None
        else f"rank correlation {number(data['correlation'])} with the other network's map"
    )
    return (
        f"{question}, by {settings['method']}{far}: {total}; {same}; area under the deletion curve "
        f"{data['area']:.3f}, in random order {data['random_area']:.3f}."
    )


# ---- the stored picture -------------------------------------------------------------------------


def _describe_detector(data: dict[str, Any]) -> str:
    return (
        f"A handwritten {data['answer']}, and beside it the pixels that speak for it by "
        f"{data['settings']['method']}, along its strokes. Two curves: what was collected on the "
        f"way from black adds up to the rise of the logit, {number(data['rise'])}; and the "
        "probability of the answer falls to nothing at once when the marked pixels are blackened, "
        f"area {data['area']:.2f}, and slowly in random order, {data['random_area']:.2f}."
    )


def _draw_detector(data: dict[str, Any]) -> Figure:
    from matplotlib.colors import LinearSegmentedColormap

    from companion import plotting

    figure, axes = plotting.panels(
        1, 4, size=(2.3, 2.4),
        titles=["a digit", "what speaks for it", "collected on the way", "pixels blackened"],
    )  # fmt: skip
    axes[0].imshow(data["picture"], cmap="gray", vmin=0, vmax=1)
    # Blue and orange as on the page.
    signed = LinearSegmentedColormap.from_list(
        "", [plotting.COLORS[0], "white", plotting.COLORS[1]]
    )
    axes[1].imshow(data["map"], cmap=signed, vmin=-1, vmax=1)
    for ax in axes[:2]:
        ax.set(xticks=[], yticks=[])
    x = np.linspace(0, 100, N_PLACES + 1)
    axes[2].plot(x, data["risen"], color=plotting.COLORS[0], label="the logit rose")
    x = np.linspace(0, 100, len(data["steps"]))
    axes[2].plot(x, data["steps"], "--", color=plotting.COLORS[1], label="collected")
    axes[2].set(xlabel="% of the way")
    x = np.linspace(0, 100, N_DELETIONS + 1)
    axes[3].plot(x, data["deletion"], color=plotting.COLORS[0], label="by the map")
    axes[3].plot(x, data["random"], ":", color="0.3", label="random order")
    axes[3].set(xlabel="% of the pixels", ylabel="probability", ylim=(-0.02, 1.05))
    for ax in axes[2:]:
        ax.legend()
    return figure
