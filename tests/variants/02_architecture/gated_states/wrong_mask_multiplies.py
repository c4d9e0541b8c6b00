# The mask multiplies, and zero times NaN is NaN.


def gated_states(
    x: Tensor, mask: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> Tensor:
    n_hidden = weight_hh.shape[1]
    from_x = x @ weight_ih.T + bias  # (N, T, 2H)
    h, states = x.new_zeros(len(x), n_hidden), []
    for t in range(x.shape[1]):
        gate_x, new_x = from_x[:, t].split(n_hidden, dim=-1)
        gate = torch.sigmoid(gate_x + h @ weight_hh[:n_hidden].T)
        new = torch.tanh(new_x + (gate * h) @ weight_hh[n_hidden:].T)
        real = mask[:, t, None].to(x.dtype)
        h = real * ((1 - gate) * h + gate * new) + (1 - real) * h
        states.append(h)
    return torch.stack(states, dim=1)
