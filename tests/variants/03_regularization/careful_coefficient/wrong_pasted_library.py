# The library's choose_coefficient with the rule one_standard_error.


def careful_coefficient(losses, coefficients, n_errors=1.0):
    rows = losses.double().tolist()
    pairs = sorted(
        (float(c), row)
        for c, row in zip(coefficients, rows)
        if all(map(math.isfinite, row))
    )
    n = losses.shape[1]
    if len(coefficients) != len(rows) or n < 2 or not pairs:
        raise ValueError("one score has no standard error")
    table = torch.tensor([row for _, row in pairs], dtype=torch.float64)
    values, errors = table.mean(1), table.std(1) / math.sqrt(n)
    lowest = values.argmin()
    limit = values[lowest] + n_errors * errors[lowest]
    chosen = int((values <= limit).nonzero().max())
    lowest = int((values <= values[lowest]).nonzero().max())  # ties to the larger one
    return pairs[lowest][0], pairs[chosen][0]
