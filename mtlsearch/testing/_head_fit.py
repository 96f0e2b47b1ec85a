"""A head, features and labels, and a few steps of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.plugin import Outputs, TargetValues, Task


@dataclass(frozen=True, slots=True, eq=False)
class HeadFit:
    """One head with the features and labels it is tried on.

    Attributes:
        task: the task.
        head: a head of it.
        levels: the features, ``[n, C_i, H_i, W_i]``.
        targets: labels of the ``n`` samples.
    """

    task: Task[Any]
    head: nn.Module
    levels: list[Tensor]
    targets: TargetValues

    def outputs(self, levels: Sequence[Tensor] | None = None) -> Outputs:
        """What the head says when it is evaluated."""
        self.head.eval()
        with torch.no_grad():
            outputs: Outputs = self.head(list(self.levels if levels is None else levels))
        return outputs

    def loss(self) -> Tensor:
        """The loss of what the head says, in the mode it is in."""
        return self.task.loss(self.head(self.levels), self.targets)

    def train(self, steps: int, learning_rate: float = 0.01) -> tuple[float, float]:
        """Fit the head, and the features as a backbone would; the first and last loss."""
        self.head.train()
        for level in self.levels:
            level.requires_grad_()
        parameters = [*self.head.parameters(), *self.levels]
        optimizer = torch.optim.Adam(parameters, lr=learning_rate)
        losses = []
        for _ in range(steps):
            loss = self.loss()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            losses.append(loss.item())
        return losses[0], losses[-1]


def measured(task: Task[Any], outputs: Outputs, targets: TargetValues) -> dict[str, float]:
    """Every metric of one batch."""
    meter = task.meter()
    meter.update(outputs, targets)
    return dict(meter.compute())
