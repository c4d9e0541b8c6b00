# The routine as it was, with all of its leaks.


def honest_errors(x, y, coefficients, folds, n_features):
    return leaky_errors(x, y, coefficients, folds, n_features)
