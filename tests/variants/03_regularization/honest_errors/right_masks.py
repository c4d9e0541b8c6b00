# Masks of rows instead of lists of folds; one table of inner errors.


def honest_errors(x, y, coefficients, folds, n_features):
    fold_of = torch.empty(len(y), dtype=torch.long)
    for k, rows in enumerate(folds):
        fold_of[rows] = k

    def predict(known, asked, coefficient):
        spread, mean = torch.std_mean(x[known], dim=0, correction=0)
        z, centre = (x[known] - mean) / spread, y[known].mean()
        strength = (z.T @ (y[known] - centre)).abs()
        used = strength.argsort(descending=True)[:n_features]
        weight = ridge_weights(z[:, used], y[known] - centre, coefficient)
        return ((x[asked] - mean) / spread)[:, used] @ weight + centre

    errors = torch.zeros(len(folds), dtype=y.dtype)
    for k in range(len(folds)):
        table = torch.zeros(len(coefficients), len(folds), dtype=y.dtype)
        for j in range(len(folds)):
            known = (fold_of != k) & (fold_of != j)
            for c, coefficient in enumerate(coefficients):
                if j != k:
                    guess = predict(known, folds[j], coefficient)
                    table[c, j] = ((guess - y[folds[j]]) ** 2).mean()
        best = coefficients[int(table.sum(1).argmin())]
        errors[k] = ((predict(fold_of != k, folds[k], best) - y[folds[k]]) ** 2).mean()
    return errors
