# SPDX-License-Identifier: GPL-3.0-or-later
"""Muon for the matrices of the blocks (K. Jordan et al. 2024), AdamW for everything else.

The update of a matrix is its Nesterov momentum with all singular values brought near 1 by five Newton-Schulz steps.
At this size it reaches a given loss with clearly fewer tokens than AdamW alone, and tokens are what costs time here.
"""
import torch


def orthogonal(x):
    """[b, m, n] with m <= n -> about U Vᵀ of each; quintic Newton-Schulz steps with Jordan's coefficients."""
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(5):
        square = torch.bmm(x, x.transpose(1, 2))
        x = 3.4445 * x + torch.bmm(torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315), x)
    return x


class Muon:
    """Steps over the stacks of matrices of one shape; wide matrices are transposed for the product's sake."""

    def __init__(self, parameters, momentum=0.95, decay=0.02):
        self.parameters, self.momentum, self.decay = parameters, momentum, decay
        self.buffers = [torch.zeros_like(p) for p in parameters]
        self.stacks = {}
        for index, p in enumerate(parameters):
            self.stacks.setdefault(tuple(sorted(p.shape)), []).append(index)

    @torch.no_grad()
    def step(self, rate):
        for indices in self.stacks.values():
            flat = []
            for i in indices:
                p, b = self.parameters[i], self.buffers[i]
                b.lerp_(p.grad, 1 - self.momentum)
                update = p.grad.lerp(b, self.momentum)
                flat.append(update if p.shape[0] <= p.shape[1] else update.t())
            for i, update in zip(indices, orthogonal(torch.stack(flat))):
                p = self.parameters[i]
                tall = p.shape[0] > p.shape[1]
                scale = (p.shape[0] / p.shape[1]) ** 0.5 if tall else 1.0
                p.mul_(1 - rate * self.decay).add_(update.t() if tall else update, alpha=-rate * scale)
                p.grad = None

    def state_dict(self):
        return self.buffers

    def load_state_dict(self, buffers):
        self.buffers = buffers
