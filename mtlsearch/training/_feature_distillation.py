"""Feature distillation: auxiliary losses between the features of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlsearch.models import MultiTaskNetwork, module_keys
from mtlsearch.plugin import Outputs

EPSILON = 1e-6
"""Added to squared norms, so that the gradient of a zero feature is finite."""

FeatureMaps = list[Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class AuxiliaryLoss:
    """A loss that is added to the task losses during training.

    Attributes:
        alpha: factor of the loss.
        term: module ``term(images, features) -> {task: [B]}`` that computes one distance per
            image. Its parameters are trained with the network and discarded afterwards.
        further_tasks: tasks without a task loss whose features the term needs.
    """

    alpha: float
    term: nn.Module
    further_tasks: tuple[str, ...] = ()


class NetworkWithAuxiliaryLoss(nn.Module):
    """A network whose forward pass also computes an auxiliary loss, so that both are compiled.

    Args:
        network: the trained network.
        term: the module of an :class:`AuxiliaryLoss`.
        further_tasks: tasks whose features the term gets beside those of the tasks that run.
    """

    def __init__(
        self, network: MultiTaskNetwork, term: nn.Module, further_tasks: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.network = network
        self.term = term
        self._further_tasks = tuple(further_tasks)

    def forward(
        self, images: Tensor, tasks: Sequence[str]
    ) -> tuple[dict[str, Outputs], dict[str, Tensor]]:
        """Return the outputs of every task and its distances ``[B]`` from the targets."""
        features = self.network.features(images, [*tasks, *self._further_tasks])
        outputs = {task: self.network.head(task)(features[task]) for task in tasks}
        return outputs, self.term(images, features)


class Adapters(nn.Module):
    """One adapter per task: a 1x1 convolution, initialized to the identity.

    Args:
        keys: name of the submodule by task.
        channels: C of the features.
    """

    def __init__(self, keys: Mapping[str, str], channels: int) -> None:
        super().__init__()
        self._keys = keys
        self.maps = nn.ModuleDict({key: _identity(channels) for key in keys.values()})

    def distance(self, task: str, feature: Tensor, target: Tensor) -> Tensor:
        """Return the squared distance of directions, averaged over positions; from 0 to 4.

        Both vectors are normalized at each position, as in Li and Bilen (2020).

        Args:
            task: the task whose adapter maps the feature.
            feature: feature map of the task, ``[B, C, h, w]``.
            target: feature map of the same shape.

        Returns:
            One distance per image, ``[B]``, float32.
        """
        mapped = self.maps[self._keys[task]](feature)
        return (_direction(mapped) - _direction(target)).square().sum(1).mean((1, 2))


class _DistillationTerm(nn.Module):
    """Distance from the features of a frozen teacher."""

    def __init__(self, adapters: Adapters, teacher: MultiTaskNetwork) -> None:
        super().__init__()
        self.adapters = adapters
        self.teacher = teacher.eval().requires_grad_(False)

    def forward(self, images: Tensor, features: Mapping[str, FeatureMaps]) -> dict[str, Tensor]:
        with torch.no_grad():
            targets = self.teacher.features(images, list(features))
        return {
            task: self.adapters.distance(task, levels[-1], targets[task][-1])
            for task, levels in features.items()
        }

    def train(self, mode: bool = True) -> _DistillationTerm:
        """Set the training mode; the teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self


class _MutualTerm(nn.Module):
    """Mean distance from the detached features of other tasks."""

    def __init__(self, adapters: Adapters, peers: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.adapters = adapters
        self._peers = peers

    def forward(self, images: Tensor, features: Mapping[str, FeatureMaps]) -> dict[str, Tensor]:
        distance_by_task = {}
        for task, levels in features.items():
            distances = [
                self.adapters.distance(task, levels[-1], features[peer][-1].detach())
                for peer in self._peers[task]
                if peer in features
            ]
            if distances:
                distance_by_task[task] = torch.stack(distances).mean(0)
        return distance_by_task


class _PreservationTerm(nn.Module):
    """Change of the features of some tasks, relative to those of a frozen teacher.

    All levels count, since the heads that read them stay as they are. So there is no adapter, and
    the length of a feature counts as well as its direction.
    """

    def __init__(self, teacher: MultiTaskNetwork, tasks: Sequence[str]) -> None:
        super().__init__()
        self.teacher = teacher.eval().requires_grad_(False)
        self._tasks = tuple(tasks)

    def forward(self, images: Tensor, features: Mapping[str, FeatureMaps]) -> dict[str, Tensor]:
        with torch.no_grad():
            targets = self.teacher.features(images, self._tasks)
        return {
            task: torch.stack(
                [
                    _relative_change(level, target)
                    for level, target in zip(features[task], targets[task], strict=True)
                ]
            ).mean(0)
            for task in self._tasks
        }

    def train(self, mode: bool = True) -> _PreservationTerm:
        """Set the training mode; the teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self


def distillation_loss(
    network: MultiTaskNetwork, alpha: float, teacher: MultiTaskNetwork
) -> AuxiliaryLoss:
    """Return a loss whose targets are the features of a trained network.

    Li and Bilen 2020, "Knowledge Distillation for Multi-task Learning".

    Args:
        network: the network to train.
        alpha: factor of the loss.
        teacher: a trained network with the same tasks and backbone; it is frozen.

    Returns:
        The auxiliary loss.
    """
    return AuxiliaryLoss(alpha, _DistillationTerm(_adapters(network), teacher))


def mutual_loss(network: MultiTaskNetwork, alpha: float) -> AuxiliaryLoss:
    """Return a loss whose targets are the features of tasks with a different path.

    The targets are detached, as in deep mutual learning (Zhang et al. 2018). Tasks that share
    every unit have the same features, and the loss does not compare them.

    Args:
        network: the network to train.
        alpha: factor of the loss.

    Returns:
        The auxiliary loss.
    """
    plan = network.plan
    path_by_task = dict(zip(plan.tasks, zip(*plan.rows, strict=True), strict=True))
    peers = {
        task: [peer for peer in plan.tasks if path_by_task[peer] != path_by_task[task]]
        for task in plan.tasks
    }
    return AuxiliaryLoss(alpha, _MutualTerm(_adapters(network), peers))


def preservation_loss(
    alpha: float, teacher: MultiTaskNetwork, tasks: Sequence[str]
) -> AuxiliaryLoss:
    """Return a loss that keeps the features of tasks whose units are trained for other tasks.

    Li and Hoiem 2016, "Learning without Forgetting", with features in place of outputs.

    Args:
        alpha: factor of the loss.
        teacher: the network before the training, with these tasks; it is frozen.
        tasks: tasks of the trained network that have no task loss and keep their heads.

    Returns:
        The auxiliary loss.
    """
    return AuxiliaryLoss(alpha, _PreservationTerm(teacher, tasks), tuple(tasks))


def _adapters(network: MultiTaskNetwork) -> Adapters:
    return Adapters(module_keys(network.tasks), network.feature_spec.levels[-1].channels)


def _direction(feature: Tensor) -> Tensor:
    """Return the feature, normalized over channels, in float32."""
    feature = feature.float()
    return feature * torch.rsqrt(feature.square().sum(1, keepdim=True) + EPSILON)


def _relative_change(level: Tensor, target: Tensor) -> Tensor:
    """Return the squared change of a level, relative to its squared length, ``[B]``, float32."""
    level, target = level.float().flatten(1), target.float().flatten(1)
    return (level - target).square().sum(1) / (target.square().sum(1) + EPSILON)


def _identity(channels: int) -> nn.Module:
    linear = nn.Conv2d(channels, channels, 1, bias=False)
    nn.init.dirac_(linear.weight)
    return linear
