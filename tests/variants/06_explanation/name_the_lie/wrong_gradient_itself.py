# Misconception: Without a path the gradient is the explanation.


def name_the_lie(
    weights: list[Tensor], x: Tensor, target: int, baseline: Tensor, explanation: Tensor
) -> str:
    def slopes(f, rows: Tensor) -> Tensor:
        rows = rows.clone().requires_grad_()
        return torch.autograd.grad(f(logits_of(weights, rows)).sum(), rows)[0]

    def integrated(f, start: Tensor) -> Tensor:
        places = (torch.arange(100) + 0.5) / 100
        nodes = start + places[:, None, None] * (x - start)  # (100, N, D)
        return slopes(f, nodes).mean(0) * (x - start)

    def logit(c: int):
        return lambda logits: logits[..., c]

    honest = integrated(logit(target), baseline)
    suspects = {
        "probability": integrated(lambda v: v.softmax(-1)[..., target], baseline),
        "endpoint": slopes(logit(target), x),
        "baseline": integrated(logit(target), torch.zeros_like(baseline)),
        "absolute": honest.abs(),
        "none": honest,
        "rows": honest[torch.cdist(explanation, honest).argmin(1)],
    }
    for c in set(range(weights[1].shape[1])) - {target}:
        suspects[f"class {c}"] = integrated(logit(c), baseline)
    for word, suspect in suspects.items():
        if (explanation - suspect).norm() < 0.05 * suspect.norm():
            return word.split()[0]
    return "model"
