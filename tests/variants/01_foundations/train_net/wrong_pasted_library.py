# The library's MLP with its gradients by hand and its Adam, weights turned at the end.


class MLP:
    def __init__(self, sizes, *, generator, output_scale=0.1):
        self.parameters = []
        for n_in, n_out in zip(sizes, sizes[1:]):
            weight = torch.empty(n_out, n_in)
            weight.normal_(0, math.sqrt(2 / n_in), generator=generator)
            self.parameters += [weight, torch.zeros(n_out)]
        self.parameters[-2] *= output_scale

    def loss_and_gradients_by_hand(self, x, labels):
        weights, biases = self.parameters[::2], self.parameters[1::2]
        inputs = [x]
        for weight, bias in zip(weights[:-1], biases[:-1]):
            inputs.append((inputs[-1] @ weight.T + bias).relu())
        logits = inputs[-1] @ weights[-1].T + biases[-1]
        delta = logits.softmax(1)
        delta[torch.arange(len(labels)), labels] -= 1
        delta = delta / len(labels)
        gradients = []
        for i in reversed(range(len(weights))):
            gradients = [delta.T @ inputs[i], delta.sum(0), *gradients]
            if i > 0:
                delta = (delta @ weights[i]) * (inputs[i] > 0)
        return F.cross_entropy(logits, labels), gradients


class Adam:
    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.n_steps, self.means, self.squares = 0, [], []

    def step(self, parameters, gradients):
        self.means = self.means or [torch.zeros_like(p) for p in parameters]
        self.squares = self.squares or [torch.zeros_like(p) for p in parameters]
        self.n_steps += 1
        beta1, beta2 = self.betas
        for p, g, m, v in zip(parameters, gradients, self.means, self.squares):
            m.mul_(beta1).add_((1 - beta1) * g)
            v.mul_(beta2).add_((1 - beta2) * g**2)
            m_hat = m / (1 - beta1**self.n_steps)
            v_hat = v / (1 - beta2**self.n_steps)
            p -= self.lr * m_hat / (v_hat.sqrt() + self.eps)


def train_net(batches, n_steps: int, generator: torch.Generator) -> list[Tensor]:
    net, optimizer = MLP([40, 100, 10], generator=generator), Adam(lr=0.003)
    for t, (x, labels) in enumerate(batches):
        optimizer.lr = 0.003 * (1 - t / n_steps)
        _, gradients = net.loss_and_gradients_by_hand(x, labels)
        optimizer.step(net.parameters, gradients)
    w1, b1, w2, b2 = net.parameters
    return [w1.T, b1, w2.T, b2]
