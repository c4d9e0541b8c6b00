# Gradients written out for the two layers, words ruled out one after the other by correlation and size.


def name_the_lie(weights, x, target, baseline, explanation):
    first, last = weights

    def slope(rows, c, is_probability=False):
        hidden = torch.tanh(rows @ first)
        by_hidden = last[:, c].expand_as(hidden)
        if is_probability:
            p = (hidden @ last).softmax(1)
            by_hidden = p[:, c : c + 1] * (by_hidden - p @ last.T)
        return ((1 - hidden.square()) * by_hidden) @ first.T

    def along(start, *what):
        total = torch.zeros_like(x)
        for i in range(1, 240, 2):
            total += slope(start + (x - start) * (i / 240), *what)
        return total * (x - start) / 120

    def alike(a, b):
        cosine = (a * b).sum() / (a.norm() * b.norm())
        return cosine > 0.998 and 0.95 < a.norm() / b.norm() < 1.05

    honest = along(baseline, target)
    if alike(explanation, honest):
        return "none"
    if (explanation >= 0).all() and alike(explanation, honest.abs()):
        return "absolute"
    for c in range(last.shape[1]):
        if c != target and alike(explanation, along(baseline, c)):
            return "class"
    if alike(explanation, along(baseline, target, True)):
        return "probability"
    if alike(explanation, slope(x, target) * (x - baseline)):
        return "endpoint"
    if alike(explanation, along(torch.zeros_like(baseline), target)):
        return "baseline"
    owner = [
        min(range(len(x)), key=lambda j: (row - honest[j]).norm().item()) for row in explanation
    ]
    return "rows" if alike(explanation, honest[owner]) else "model"
