# Written from the text alone: one row after the other, adding up what each sends.


def scaled_layer_backward(
    x: Tensor, weight: Tensor, scale: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    n_in, n_out = weight.shape
    rows, arriving = x.reshape(-1, n_in), cotangent.reshape(-1, n_out)
    for_x = torch.empty_like(rows)
    for_weight, for_scale = torch.zeros_like(weight), torch.zeros_like(scale)
    for_bias = torch.zeros_like(scale)
    for i in range(len(rows)):
        scaled = scale * arriving[i]
        for_x[i] = weight @ scaled
        for_weight += torch.outer(rows[i], scaled)
        for_scale += arriving[i] * (rows[i] @ weight)
        for_bias += arriving[i]
    for_x = for_x.reshape(x.shape)
    return dict(x=for_x, weight=for_weight, scale=for_scale, bias=for_bias)
