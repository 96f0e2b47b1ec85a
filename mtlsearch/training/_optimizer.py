"""The optimizer of a run file, and its learning rate over time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Literal

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

MOMENTUM = 0.9


def build_optimizer(
    network: nn.Module,
    name: Literal["adamw", "sgd"],
    *,
    learning_rate: float,
    weight_decay: float,
) -> Optimizer:
    """AdamW, or SGD with momentum; every parameter once, however many tasks share it.

    Norms and biases (parameters of one dimension) and what a timm model names in
    ``no_weight_decay()``, such as position embeddings, are not decayed.
    """
    spared = _spared(network)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {
            "params": [parameter for parameter in parameters if id(parameter) not in spared],
            "weight_decay": weight_decay,
        },
        {
            "params": [parameter for parameter in parameters if id(parameter) in spared],
            "weight_decay": 0.0,
        },
    ]
    if name == "adamw":
        return AdamW(groups, lr=learning_rate, fused=True)
    # Not fused: when float16 skips the first step, fused SGD (torch 2.15) goes on with
    # momentum that was never written.
    return SGD(groups, lr=learning_rate, momentum=MOMENTUM)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A linear rise to the peak rate, then half a cosine to zero, step by step.

    Loshchilov and Hutter 2017; the rise as in Goyal et al. 2017.

    Attributes:
        optimizer: whose rate is set.
        peak: the largest rate.
        steps: how many steps there will be.
        warmup: the fraction of them with a rising rate.
    """

    optimizer: Optimizer
    peak: float
    steps: int
    warmup: float

    def rate(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        # The peak is reached even where the steps are few.
        rising = min(round(self.warmup * self.steps), self.steps - 1)
        if step < rising:
            return self.peak * (step + 1) / (rising + 1)
        fallen = min(1.0, (step - rising) / (self.steps - rising))
        return self.peak * 0.5 * (1.0 + math.cos(math.pi * fallen))

    def before(self, step: int) -> None:
        """Set the rate for a step that is about to be taken."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)


def _spared(network: nn.Module) -> set[int]:
    """Identities of the parameters without weight decay."""
    named = list(network.named_parameters(remove_duplicate=False))
    patterns = list(_no_weight_decay(network))
    return {
        id(parameter)
        for name, parameter in named
        if parameter.ndim <= 1 or any(fnmatch(name, pattern) for pattern in patterns)
    }


def _no_weight_decay(network: nn.Module) -> Iterator[str]:
    """Full names that parts of the network ask to spare, in timm's way."""
    for path, module in network.named_modules():
        names = getattr(module, "no_weight_decay", None)
        if callable(names):
            for name in names():
                yield f"{path}.{name}" if path else str(name)
