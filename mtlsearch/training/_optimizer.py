"""Optimizer and learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Literal

from torch import Tensor, nn, strided
from torch.optim import SGD, AdamW, Optimizer

MOMENTUM = 0.9


def build_optimizer(
    network: nn.Module,
    name: Literal["adamw", "sgd"],
    *,
    learning_rate: float,
    weight_decay: float,
    backbone: nn.Module | None = None,
    backbone_lr_factor: float = 1.0,
) -> Optimizer:
    """Return AdamW, or SGD with momentum, with every trainable parameter once.

    Weight decay does not apply to parameters of one dimension (norms and biases), nor to the
    parameters in ``no_weight_decay()`` of a timm model, such as position embeddings.

    Args:
        network: module with the parameters; tasks may share some of them.
        name: the optimizer.
        learning_rate: initial learning rate.
        weight_decay: factor of the weight decay.
        backbone: the part of the network with the scaled learning rate; None scales none.
        backbone_lr_factor: factor of its learning rate.

    Returns:
        The optimizer, with one parameter group with and one without weight decay. With a factor,
        the backbone has two groups of its own.
    """
    excluded = _without_weight_decay(network)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if backbone is None or backbone_lr_factor == 1:
        groups = _groups(parameters, excluded, weight_decay)
    else:
        scaled = {id(parameter) for parameter in backbone.parameters()}
        groups = [
            {**group, "lr_factor": factor}
            for factor, is_scaled in ((backbone_lr_factor, True), (1.0, False))
            for group in _groups(
                [parameter for parameter in parameters if (id(parameter) in scaled) is is_scaled],
                excluded,
                weight_decay,
            )
        ]
    if name == "adamw":
        return AdamW(groups, lr=learning_rate, fused=True)
    # Not fused: if float16 skips the first step, fused SGD (torch 2.15) continues with
    # momentum that was never initialized.
    return SGD(groups, lr=learning_rate, momentum=MOMENTUM)


_STATE_NAMES: dict[type[Optimizer], set[str]] = {
    AdamW: {"step", "exp_avg", "exp_avg_sq"},
    SGD: {"momentum_buffer"},
}
"""Names in the state of a parameter that has had a gradient."""


def load_optimizer_state(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Load the state of the parameters; the options of the groups are those of the run file.

    Args:
        optimizer: optimizer of :func:`build_optimizer`.
        state: state dict of an optimizer of the same network.

    Raises:
        ValueError: the state belongs to other parameters or to another optimizer.
    """
    current = optimizer.state_dict()
    for group, expected in zip(state["param_groups"], current["param_groups"], strict=True):
        if not isinstance(group["params"], list) or group["params"] != expected["params"]:
            raise ValueError("the optimizer has other parameters")
    parameters = [item for group in optimizer.param_groups for item in group["params"]]
    names = _STATE_NAMES[type(optimizer)]
    for index, values in state["state"].items():
        if type(index) is not int or not 0 <= index < len(parameters):
            raise ValueError(f"the optimizer has no parameter {index!r}")
        if values.keys() != names:
            raise ValueError(f"the optimizer needs {', '.join(sorted(names))} of each parameter")
        for name, value in values.items():
            shape = () if name == "step" else parameters[index].shape
            if isinstance(value, Tensor) and (value.layout != strided or value.is_meta):
                raise ValueError(f"`{name}` of parameter {index} is not a plain tensor")
            if isinstance(value, Tensor) and value.shape == shape and value.is_floating_point():
                continue
            if value is not None or names != _STATE_NAMES[SGD]:
                raise ValueError(f"`{name}` of parameter {index} belongs to another network")
    optimizer.load_state_dict({**current, "state": dict(state["state"])})


@dataclass(frozen=True, slots=True)
class Schedule:
    """Learning-rate schedule per step: linear warm-up, then half a cosine to zero.

    Cosine as in Loshchilov and Hutter 2017, Equation 5; warm-up as in Goyal et al. 2017.

    Attributes:
        optimizer: optimizer whose learning rate is set.
        peak: largest learning rate.
        steps: number of steps of the training.
        warmup: fraction of the steps with a rising rate, 0 to 1.
    """

    optimizer: Optimizer
    peak: float
    steps: int
    warmup: float

    def rate(self, step: int) -> float:
        """Return the learning rate of a step.

        Args:
            step: number of the step, from 0.

        Returns:
            The rate, from 0 to ``peak``.
        """
        # At least one step has the peak rate.
        warmup_steps = min(round(self.warmup * self.steps), self.steps - 1)
        if step < warmup_steps:
            return self.peak * (step + 1) / (warmup_steps + 1)
        progress = min(1.0, (step - warmup_steps) / (self.steps - warmup_steps))
        return self.peak * 0.5 * (1.0 + math.cos(math.pi * progress))

    def before(self, step: int) -> None:
        """Set the learning rate of each parameter group for the next step.

        Args:
            step: number of the next step, from 0.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step) * group.get("lr_factor", 1.0)


def _groups(
    parameters: Sequence[nn.Parameter], excluded: Collection[int], weight_decay: float
) -> list[dict[str, Any]]:
    """Return one parameter group with and one without weight decay."""
    return [
        {
            "params": [parameter for parameter in parameters if id(parameter) not in excluded],
            "weight_decay": weight_decay,
        },
        {
            "params": [parameter for parameter in parameters if id(parameter) in excluded],
            "weight_decay": 0.0,
        },
    ]


def _without_weight_decay(network: nn.Module) -> set[int]:
    """Return the ``id`` of each parameter without weight decay."""
    named = list(network.named_parameters(remove_duplicate=False))
    patterns = list(_no_weight_decay_names(network))
    return {
        id(parameter)
        for name, parameter in named
        if parameter.ndim <= 1 or any(fnmatch(name, pattern) for pattern in patterns)
    }


def _no_weight_decay_names(network: nn.Module) -> Iterator[str]:
    """Yield the full names of parameters in ``no_weight_decay()`` of the submodules."""
    for path, module in network.named_modules():
        names = getattr(module, "no_weight_decay", None)
        if callable(names):
            for name in names():
                yield f"{path}.{name}" if path else str(name)
