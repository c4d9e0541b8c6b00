# The state is detached at every step, so no gradient flows through time.


def gated_states(
    x: Tensor, mask: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> Tensor:
    n_hidden = weight_hh.shape[1]
    x = torch.where(mask[..., None], x, 0.0)
    from_x = x @ weight_ih.T + bias  # (N, T, 2H)
    h, states = x.new_zeros(len(x), n_hidden), []
    for t in range(x.shape[1]):
        h = h.detach()
        gate_x, new_x = from_x[:, t].split(n_hidden, dim=-1)
        gate = torch.sigmoid(gate_x + h @ weight_hh[:n_hidden].T)
        new = torch.tanh(new_x + (gate * h) @ weight_hh[n_hidden:].T)
        h = torch.where(mask[:, t, None], (1 - gate) * h + gate * new, h)
        states.append(h)
    return torch.stack(states, dim=1)
