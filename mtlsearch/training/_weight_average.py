"""Exponential moving average of the weights of a network."""

from __future__ import annotations

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import nn


class WeightAverage:
    """A copy of a network whose weights are the moving average over the steps.

    Running statistics are averaged like weights, and counters are copied. The decay rises from 0
    to its value over the first steps, as in timm, so that a short training does not average the
    initial weights.

    Args:
        network: the trained network, on its device.
        decay: decay per step after the warm-up, 0 to 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._trained = network
        self._average = ModelEmaV3(network, decay=decay, use_warmup=True)

    @property
    def network(self) -> nn.Module:
        """The averaged network, in evaluation mode."""
        network: nn.Module = self._average.module
        return network

    def update(self, num_steps: int) -> None:
        """Add the weights after a step.

        Args:
            num_steps: number of completed steps, from 1. It determines the decay.
        """
        self._average.update(self._trained, step=num_steps)

    def copy_to_network(self) -> None:
        """Replace the weights and buffers of the trained network by the average."""
        with torch.no_grad():
            self._trained.load_state_dict(self.network.state_dict())
