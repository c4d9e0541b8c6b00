# A class with fit and predict, and a recursive selection.


def honest_errors(x, y, coefficients, folds, n_features):
    class Model:
        def __init__(self, rows, coefficient):
            z, target = x[rows], y[rows]
            self.mean, self.centre = z.mean(0), target.mean()
            self.scale = (z - self.mean).pow(2).mean(0).sqrt()
            z, target = (z - self.mean) / self.scale, target - self.centre
            self.columns = torch.topk((z * target[:, None]).sum(0).abs(), n_features)[1]
            self.weight = ridge_weights(z[:, self.columns], target, coefficient)

        def error(self, rows):
            z = ((x[rows] - self.mean) / self.scale)[:, self.columns]
            return (z @ self.weight + self.centre - y[rows]).square().mean()

    def held_out_errors(parts, choose):
        found = []
        for k in range(len(parts)):
            others = [part for i, part in enumerate(parts) if i != k]
            found.append(Model(torch.cat(others), choose(others)).error(parts[k]))
        return torch.stack(found)

    def choose(parts):
        means = {
            c: held_out_errors(parts, lambda _, c=c: c).mean().item()
            for c in coefficients
        }
        return min(coefficients, key=means.get)

    return held_out_errors(list(folds), choose)
