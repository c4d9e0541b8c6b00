# numpy, sorted from the largest coefficient down.


def careful_coefficient(
    losses: Tensor, coefficients: list[float], n_errors: float = 1.0
) -> tuple[float, float]:
    import numpy

    table = numpy.asarray(losses)
    if table.shape[0] != len(coefficients) or table.shape[1] < 2:
        raise ValueError("one coefficient for each candidate, and two folds at least")
    order = [i for i in numpy.argsort(coefficients)[::-1] if numpy.isfinite(table[i]).all()]
    if not order:
        raise ValueError("no candidate left")
    best = order[0]
    for i in order[1:]:
        if table[i].mean() < table[best].mean():
            best = i
    for i in order:
        d = table[i] - table[best]
        s = numpy.sqrt(((d - d.mean()) ** 2).sum() / (len(d) - 1)) / numpy.sqrt(len(d))
        if d.mean() <= n_errors * s:
            return float(coefficients[best]), float(coefficients[i])
