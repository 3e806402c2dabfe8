"""Muon for matrices and AdamW for the rest, with float32 masters of the weights, which may be bfloat16.

Muon: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024): momentum whose direction is made
nearly orthogonal by five Newton-Schulz steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
MOMENTUM, DECAY = 0.95, 0.01
ADAM_BETAS, ADAM_EPS = (0.9, 0.99), 1e-8


class Optimizer:
    """Updates the masters and copies them into the weights of the network."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], is_matrix: Any) -> None:
        self.named = dict(named)
        self.masters = {name: p.detach().float().clone() for name, p in self.named.items()}
        self.state: dict[str, dict[str, Tensor]] = {}
        self.groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for name, p in self.named.items():
            if is_matrix(name, p):
                self.groups[tuple(p.shape[-2:])].append(name)
                self.state[name] = {"momentum": torch.zeros_like(self.masters[name])}
            else:
                zeros = torch.zeros_like(self.masters[name])
                self.state[name] = {"first": zeros, "second": zeros.clone()}
        self.matrices = {name for names in self.groups.values() for name in names}
        self.steps = 0

    @torch.no_grad()
    def step(self, muon_rate: float, adam_rate: float) -> None:
        """Take one step and clear the gradients."""
        self.steps += 1
        for names in self.groups.values():
            self._muon([n for n in names if self.named[n].grad is not None], muon_rate)
        for name, p in self.named.items():
            if name not in self.matrices and p.grad is not None:
                self._adam(name, p.grad.float(), adam_rate)
            p.grad = None
            p.copy_(self.masters[name])

    def _muon(self, names: list[str], rate: float) -> None:
        if not names:
            return
        updates = []
        for name in names:
            grad, momentum = self.named[name].grad, self.state[name]["momentum"]
            assert grad is not None
            momentum.lerp_(grad.float(), 1 - MOMENTUM)
            updates.append(grad.float().lerp(momentum, MOMENTUM).reshape(-1, *grad.shape[-2:]))
        directions = orthogonal(torch.cat(updates), self.named[names[0]].dtype)
        offset = 0
        for name in names:
            master = self.masters[name]
            count = master.numel() // (master.shape[-1] * master.shape[-2])
            update = directions[offset : offset + count].view_as(master)
            offset += count
            scale = max(1, master.shape[-2] / master.shape[-1]) ** 0.5
            master.mul_(1 - rate * DECAY).add_(update, alpha=-rate * scale)

    def _adam(self, name: str, grad: Tensor, rate: float) -> None:
        state, (beta1, beta2) = self.state[name], ADAM_BETAS
        state["first"].lerp_(grad, 1 - beta1)
        state["second"].lerp_(grad.square(), 1 - beta2)
        first = state["first"] / (1 - beta1**self.steps)
        second = state["second"] / (1 - beta2**self.steps)
        self.masters[name].addcdiv_(first, second.sqrt().add_(ADAM_EPS), value=-rate)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"masters": self.masters, "state": self.state, "steps": self.steps}

    @torch.no_grad()
    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load the state of a checkpoint; weights that are not in it keep their initial values."""
        self.steps = saved["steps"]
        for name, p in self.named.items():
            if name in saved["masters"] and saved["masters"][name].shape == p.shape:
                self.masters[name].copy_(saved["masters"][name])
                if saved["state"][name].keys() == self.state[name].keys():
                    self.state[name] = saved["state"][name]
            p.copy_(self.masters[name])


def orthogonal(g: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the nearly orthogonal matrices closest to `g` (n, rows, cols), float32, computed in `dtype`."""
    a, b, c = NEWTON_SCHULZ
    flip = g.shape[-2] > g.shape[-1]
    x = (g.mT if flip else g).to(dtype)
    x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(x.dtype)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if flip else x).float()
