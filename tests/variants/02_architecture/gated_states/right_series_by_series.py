# Runs each series alone over its real points, then copies the states to where they are due.


def gated_states(
    x: Tensor, mask: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> Tensor:
    w_gate, w_new = weight_ih.chunk(2)
    u_gate, u_new = weight_hh.chunk(2)
    b_gate, b_new = bias.chunk(2)
    results = []
    for series, is_real in zip(x, mask):
        states = [torch.zeros_like(b_gate)]
        for point in series[is_real]:
            h = states[-1]
            gate = F.sigmoid(F.linear(point, w_gate, b_gate) + u_gate @ h)
            new = F.tanh(F.linear(point, w_new, b_new) + u_new @ (gate * h))
            states.append(torch.lerp(h, new, gate))
        last_real = is_real.long().cumsum(0)  # 0 before the first real point
        results.append(torch.stack(states)[last_real])
    return torch.stack(results)
