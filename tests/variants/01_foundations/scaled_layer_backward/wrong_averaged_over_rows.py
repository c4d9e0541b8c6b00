# Weight, scale and bias get means over rows, not sums.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    rows = x.reshape(-1, weight.shape[0])  # (R, n_in)
    arriving = cotangent.reshape(-1, weight.shape[1])  # (R, n_out)
    return {
        "x": (cotangent * scale) @ weight.T,
        "weight": rows.T @ (arriving * scale) / len(rows),
        "scale": (arriving * (rows @ weight)).mean(dim=0),
        "bias": arriving.mean(dim=0),
    }
