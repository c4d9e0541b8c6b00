# Misconception: Rows that lie closest to the given ones are the best.


def grow_surrogate(ask, x: Tensor, generator: torch.Generator) -> dict[str, list]:
    n = 4000 - len(x)
    spread = torch.linalg.cholesky(torch.cov(x.T) + 1e-6 * torch.eye(x.shape[1]))
    centres = x[torch.randint(len(x), (n,), generator=generator)]
    steps = torch.randn(centres.shape, generator=generator) @ spread.T
    rows = torch.cat([x, centres + 0.1 * steps])
    fitted = DecisionTreeClassifier(max_leaf_nodes=15, random_state=0)
    fitted.fit(rows.numpy(), ask(rows).numpy())
    tree = fitted.tree_
    return dict(
        feature=tree.feature.clip(min=-1).tolist(),
        threshold=tree.threshold.tolist(),
        left=tree.children_left.tolist(),
        right=tree.children_right.tolist(),
        label=fitted.classes_[tree.value[:, 0].argmax(1)].tolist(),
    )
