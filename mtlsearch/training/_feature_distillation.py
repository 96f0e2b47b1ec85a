"""Tasks that learn from features, besides their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlsearch.models import MultiTaskNetwork, module_keys
from mtlsearch.plugin import Outputs
from mtlsearch.training._adapter import Adapters

Levels = list[Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class AuxiliaryLoss:
    """A term beside the losses.

    Attributes:
        alpha: what it counts for.
        term: ``term(images, features) -> {task: [B]}``, each image's distance; its parameters
            are trained with the network and thrown away after.
    """

    alpha: float
    term: nn.Module


class NetworkWithAuxiliaryLoss(nn.Module):
    """A network whose forward gives the lesson's distances too, so that both are compiled.

    Args:
        network: what is trained.
        term: a :class:`AuxiliaryLoss`'s.
    """

    def __init__(self, network: MultiTaskNetwork, term: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.term = term

    def forward(
        self, images: Tensor, tasks: Sequence[str]
    ) -> tuple[dict[str, Outputs], dict[str, Tensor]]:
        """Every task's outputs, and its distance ``[B]`` from what it learns from."""
        features = self.network.features(images, tasks)
        outputs = {task: self.network.head(task)(levels) for task, levels in features.items()}
        return outputs, self.term(images, features)


class _Distilled(nn.Module):
    """The distance from the features of a teacher, which stays as it is."""

    def __init__(self, adapters: Adapters, teacher: MultiTaskNetwork) -> None:
        super().__init__()
        self.adapters = adapters
        self.teacher = teacher.eval().requires_grad_(False)

    def forward(self, images: Tensor, features: Mapping[str, Levels]) -> dict[str, Tensor]:
        with torch.no_grad():
            known = self.teacher.features(images, list(features))
        return {
            task: self.adapters.distance(task, levels[-1], known[task][-1])
            for task, levels in features.items()
        }

    def train(self, mode: bool = True) -> _Distilled:
        """Set the mode of all but the teacher."""
        super().train(mode)
        self.teacher.eval()
        return self


class _Mutual(nn.Module):
    """The mean distance from the features of other tasks, which feel no pull in turn."""

    def __init__(self, adapters: Adapters, others: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.adapters = adapters
        self._others = others

    def forward(self, images: Tensor, features: Mapping[str, Levels]) -> dict[str, Tensor]:
        found = {}
        for task, levels in features.items():
            distances = [
                self.adapters.distance(task, levels[-1], features[other][-1].detach())
                for other in self._others[task]
                if other in features
            ]
            if distances:
                found[task] = torch.stack(distances).mean(0)
        return found


def distillation_loss(
    network: MultiTaskNetwork, alpha: float, teacher: MultiTaskNetwork
) -> AuxiliaryLoss:
    """Each task learns from the features of a trained network of the same backbone.

    Li and Bilen 2020, "Knowledge Distillation for Multi-task Learning".

    Args:
        network: what is to be trained.
        alpha: what the term counts for.
        teacher: a network of the same tasks; it is not trained any further.
    """
    return AuxiliaryLoss(alpha, _Distilled(_adapters(network), teacher))


def mutual_loss(network: MultiTaskNetwork, alpha: float) -> AuxiliaryLoss:
    """Each task learns from the features of the tasks that have not come its way.

    Peers are looked at as they are and do not move to be met, as in deep mutual learning
    (Zhang et al. 2018). Tasks that share every unit have one feature, and nothing to learn.

    Args:
        network: what is to be trained.
        alpha: what the term counts for.
    """
    plan = network.plan
    way_of = dict(zip(plan.tasks, zip(*plan.rows, strict=True), strict=True))
    others = {
        task: [other for other in plan.tasks if way_of[other] != way_of[task]]
        for task in plan.tasks
    }
    return AuxiliaryLoss(alpha, _Mutual(_adapters(network), others))


def _adapters(network: MultiTaskNetwork) -> Adapters:
    return Adapters(module_keys(network.tasks), network.feature_spec.levels[-1].channels)
