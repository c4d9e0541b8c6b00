# Lists of Python numbers, with the module statistics.


def careful_coefficient(losses, coefficients, n_errors=1.0):
    table = losses.tolist()
    if len(table) != len(coefficients) or len(table[0]) <= 1:
        raise ValueError("shapes do not fit")
    table = {
        c: row for c, row in zip(coefficients, table) if all(map(math.isfinite, row))
    }
    if len(table) == 0:
        raise ValueError("every candidate diverged")
    best = None
    for c in sorted(table, reverse=True):
        if best is None or statistics.mean(table[c]) < statistics.mean(table[best]):
            best = c
    chosen = best
    for c, row in table.items():
        paired = [mine - other for mine, other in zip(row, table[best])]
        limit = n_errors * statistics.stdev(paired) / math.sqrt(len(paired))
        if statistics.mean(paired) <= limit:
            chosen = max(chosen, c)
    return float(best), float(chosen)
