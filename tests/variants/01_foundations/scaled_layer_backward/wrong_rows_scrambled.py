# Brings x and cotangent to rows with a reshape from the wrong end.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    rows = x.reshape(weight.shape[0], -1).T  # (R, n_in)
    arriving = cotangent.reshape(weight.shape[1], -1).T  # (R, n_out)
    return {
        "x": (cotangent * scale) @ weight.T,
        "weight": rows.T @ (arriving * scale),
        "scale": (arriving * (rows @ weight)).sum(dim=0),
        "bias": arriving.sum(dim=0),
    }
