# Takes the bias for a part of what is scaled.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    rows = x.reshape(-1, weight.shape[0])  # (R, n_in)
    arriving = cotangent.reshape(-1, weight.shape[1])  # (R, n_out)
    return {
        "x": (cotangent * scale) @ weight.T,
        "weight": rows.T @ (arriving * scale),
        "scale": (arriving * (rows @ weight)).sum(dim=0),
        "bias": (arriving * scale).sum(dim=0),
    }
