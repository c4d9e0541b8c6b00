# The scale's gradient multiplies two sums over rows where each row's product is to be summed.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    rows = x.reshape(-1, weight.shape[0])  # (R, n_in)
    arriving = cotangent.reshape(-1, weight.shape[1])  # (R, n_out)
    return {
        "x": (cotangent * scale) @ weight.T,
        "weight": rows.T @ (arriving * scale),
        "scale": arriving.sum(dim=0) * (rows @ weight).sum(dim=0),
        "bias": arriving.sum(dim=0),
    }
