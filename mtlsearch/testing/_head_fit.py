"""Head with features and labels, which can be trained for a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.plugin import Outputs, TargetValues, Task


@dataclass(frozen=True, slots=True, eq=False)
class HeadFit:
    """A head with the features and labels of ``n`` samples.

    Attributes:
        task: the task.
        head: a head of the task.
        levels: feature levels ``[n, C_i, H_i, W_i]``.
        targets: labels of the samples.
    """

    task: Task[Any]
    head: nn.Module
    levels: list[Tensor]
    targets: TargetValues

    def outputs(self, levels: Sequence[Tensor] | None = None) -> Outputs:
        """Return the outputs of the head in evaluation mode.

        Args:
            levels: feature levels; :attr:`levels` by default.

        Returns:
            The outputs, without gradient.
        """
        self.head.eval()
        with torch.no_grad():
            outputs: Outputs = self.head(list(self.levels if levels is None else levels))
        return outputs

    def loss(self) -> Tensor:
        """Return the loss of the head in its current mode.

        Returns:
            A scalar with gradient.
        """
        return self.task.loss(self.head(self.levels), self.targets)

    def train(self, steps: int, learning_rate: float = 0.01) -> tuple[float, float]:
        """Train the head and the features, as training a backbone would change them.

        Args:
            steps: number of optimizer steps.
            learning_rate: learning rate of Adam.

        Returns:
            The first and the last loss.
        """
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


def compute_metrics(task: Task[Any], outputs: Outputs, targets: TargetValues) -> dict[str, float]:
    """Return all metrics of one batch.

    Args:
        task: the task.
        outputs: outputs of its head.
        targets: labels of the same samples.

    Returns:
        Values by metric name.
    """
    meter = task.meter()
    meter.update(outputs, targets)
    return dict(meter.compute())
