# A point that is not real gets a gate of exactly zero, so the state waits by itself.


def gated_states(
    x: Tensor, mask: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> Tensor:
    size = weight_hh.shape[1]
    x = x.masked_fill(~mask.unsqueeze(-1), 0)
    is_real = mask.unsqueeze(-1).to(x.dtype)
    h = torch.zeros(x.shape[0], size, dtype=x.dtype)
    states = []
    for point, real in zip(x.unbind(1), is_real.unbind(1)):
        gate = F.linear(point, weight_ih[:size], bias[:size]) + h @ weight_hh[:size].mT
        gate = real * torch.sigmoid(gate)
        seen = F.linear(gate * h, weight_hh[size:], bias[size:])
        new = (seen + point @ weight_ih[size:].mT).tanh()
        h = h + gate * (new - h)
        states += [h]
    return torch.stack(states, 1)
