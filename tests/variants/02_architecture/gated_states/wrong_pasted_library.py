# The library's gru_cell with one gate in both roles, and a mask.


def _affine(x, weight, bias):
    y = x @ weight.T
    return y if bias is None else y + bias


def gru_cell(x, h, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    gate_x, new_x = _affine(x, weight_ih, bias_ih).chunk(2, dim=-1)
    gate_h, new_h = _affine(h, weight_hh, bias_hh).chunk(2, dim=-1)
    reset = update = torch.sigmoid(gate_x + gate_h)
    new = torch.tanh(new_x + reset * new_h)
    return (1 - update) * new + update * h


def gated_states(
    x: Tensor, mask: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> Tensor:
    x = torch.where(mask[..., None], x, 0.0)
    h, states = x.new_zeros(len(x), weight_hh.shape[1]), []
    for t in range(x.shape[1]):
        new = gru_cell(x[:, t], h, weight_ih, weight_hh, bias)
        h = torch.where(mask[:, t, None], new, h)
        states.append(h)
    return torch.stack(states, dim=1)
