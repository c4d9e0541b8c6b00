# The library's backward pass of a layer without scale, with the weight turned.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    delta = cotangent.reshape(-1, weight.shape[1])
    inputs = x.reshape(-1, weight.shape[0])
    gradients = [delta.T @ inputs, delta.sum(0)]
    delta = cotangent @ weight.T
    ones = torch.zeros_like(scale)
    return {"x": delta, "weight": gradients[0].T, "scale": ones, "bias": gradients[1]}
