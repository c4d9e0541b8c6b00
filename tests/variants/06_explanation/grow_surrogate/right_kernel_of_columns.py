# Given rows with noise of a third of a standard deviation in each column, and scikit-learn.


def grow_surrogate(ask, x, generator):
    copies = x.repeat(40, 1)
    noise = torch.randn(copies.shape, generator=generator) * x.std(0) / 3
    noise[: len(x)] = 0
    rows = copies + noise
    answers = ask(rows)
    model = DecisionTreeClassifier(max_leaf_nodes=15, min_samples_leaf=5, random_state=1)
    model.fit(rows.numpy(), answers.numpy())
    t = model.tree_
    nodes = range(t.node_count)
    leaf = [t.children_left[i] == t.children_right[i] for i in nodes]
    return {
        "feature": [-1 if leaf[i] else int(t.feature[i]) for i in nodes],
        "threshold": [0.0 if leaf[i] else float(t.threshold[i]) for i in nodes],
        "left": [int(t.children_left[i]) for i in nodes],
        "right": [int(t.children_right[i]) for i in nodes],
        "label": [int(model.classes_[t.value[i, 0].argmax()]) for i in nodes],
    }
