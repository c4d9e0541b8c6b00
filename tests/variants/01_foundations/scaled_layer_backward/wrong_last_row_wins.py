# Loops over rows and assigns where it should add.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    rows = x.reshape(-1, weight.shape[0])  # (R, n_in)
    arriving = cotangent.reshape(-1, weight.shape[1])  # (R, n_out)
    for_weight, for_bias = torch.zeros_like(weight), torch.zeros_like(scale)
    for row, sent in zip(rows, arriving):
        for_weight = torch.outer(row, sent * scale)
        for_bias = sent
    return {
        "x": (cotangent * scale) @ weight.T,
        "weight": for_weight,
        "scale": (arriving * (rows @ weight)).sum(dim=0),
        "bias": for_bias,
    }
