# All suspects in one list, rows matched greedily; the nearest wins if it is near.


def name_the_lie(weights, x, target, baseline, explanation):

    def path(f, start, n=64):
        t = (torch.arange(n).double() + 0.5) / n
        rows = (start + t[:, None, None] * (x - start)).requires_grad_()
        slopes = torch.autograd.grad(f(logits_of(weights, rows)).sum(), rows)[0]
        return slopes.mean(0) * (x - start)

    n_classes = weights[1].shape[1]
    found = []
    for c in range(n_classes):
        made = path(lambda logits: logits[..., c], baseline)
        found.append(("none" if c == target else "class", made))
        if c == target:
            honest = made
    found.append(("absolute", honest.abs()))
    found.append(("probability", path(lambda logits: logits.softmax(-1)[..., target], baseline)))
    found.append(("baseline", path(lambda logits: logits[..., target], 0 * baseline)))
    rows = x.clone().requires_grad_()
    slope = torch.autograd.grad(logits_of(weights, rows)[:, target].sum(), rows)[0]
    found.append(("endpoint", slope * (x - baseline)))
    off, word = min(
        ((explanation - made).norm().item() / made.norm().item(), word) for word, made in found
    )
    if off < 0.06:
        return word
    table = torch.cdist(explanation, honest)
    total = 0.0
    for _ in range(len(x)):
        place = int(table.argmin())
        i, j = divmod(place, len(x))
        total += table[i, j].item() ** 2
        table[i] = table[:, j] = math.inf
    return "rows" if total**0.5 < 0.06 * honest.norm().item() else "model"
