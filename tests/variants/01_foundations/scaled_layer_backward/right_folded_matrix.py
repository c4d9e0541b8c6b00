# Folds the scale into one matrix, takes its gradient, and unfolds that into both.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    folded = weight * scale  # y = x @ folded + bias
    for_folded = torch.einsum(
        "ri,rj->ij",
        x.flatten(0, -2) if x.ndim > 1 else x[None],
        cotangent.flatten(0, -2) if x.ndim > 1 else cotangent[None],
    )
    leading = tuple(range(cotangent.ndim - 1))
    return {
        "x": torch.einsum("...j,ij->...i", cotangent, folded),
        "weight": for_folded * scale,
        "scale": (for_folded * weight).sum(0),
        "bias": cotangent.sum(leading) if leading else cotangent,
    }
