"""The network of a plan: cut backbone, plan and heads, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from mtlsearch.errors import PlanError, did_you_mean
from mtlsearch.models._cut_backbone import CutBackbone
from mtlsearch.models._flops import count_flops, count_parameters, head_cost
from mtlsearch.models.cutting import dry_run
from mtlsearch.models.sharing import module_keys
from mtlsearch.plan import Cost, FeatureSpec, SharingPlan, UnitSpec

Outputs = dict[str, Tensor]


class MultiTaskNetwork(nn.Module):
    """Several tasks on one backbone, sharing what a plan says.

    State-dict keys are ``backbones.<task>.<timm's key>`` and ``heads.<task>.<key>``; a
    shared unit stands under the first of its tasks.

    Args:
        cut: the cut backbone.
        plan: a plan for its units.
        heads: for every task of the plan a module from a list of levels ``[B, C, h, w]`` to
            named tensors.

    Raises:
        PlanError: the plan is for another number of units, for other tasks than there are
            heads, or passes by a unit that is not skippable.
    """

    def __init__(self, cut: CutBackbone, plan: SharingPlan, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        if set(heads) != set(plan.tasks):
            raise PlanError(
                f"the plan is for the tasks {', '.join(plan.tasks)}, "
                f"the heads for {', '.join(sorted(heads))}",
                next_step="build the plan for the run's tasks",
            )
        self.plan = plan
        self.feature_spec: FeatureSpec = cut.features
        self.units: tuple[UnitSpec, ...] = cut.units
        self._keys = module_keys(plan.tasks)
        self.backbones = cut.tie(plan)
        self.heads = nn.ModuleDict({self._keys[task]: heads[task] for task in plan.tasks})

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks, sorted."""
        return self.plan.tasks

    def forward(self, images: Tensor, tasks: Sequence[str] | None = None) -> dict[str, Outputs]:
        """Every task's outputs.

        Args:
            images: ``[B, 3, H, W]``, normalised.
            tasks: the tasks to run; all by default. What only others need does not run.

        Returns:
            By task, what its head returns.

        Raises:
            PlanError: a task is not the network's.
        """
        features = self.features(images, tasks)
        return {task: self.head(task)(levels) for task, levels in features.items()}

    def features(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, list[Tensor]]:
        """Every task's feature levels ``[B, C, h, w]``, finest first.

        Args:
            images: ``[B, 3, H, W]``, normalised.
            tasks: the tasks to run; all by default.

        Raises:
            PlanError: a task is not the network's.
        """
        for task in tasks or ():
            self._check_task(task)
        found: dict[str, list[Tensor]] = self.backbones(images, tasks)
        return found

    def head(self, task: str) -> nn.Module:
        """The head of a task."""
        self._check_task(task)
        return self.heads[self._keys[task]]

    def unit_modules(self, unit: int, group: Sequence[str]) -> dict[str, nn.Module]:
        """The modules of a group's copy of a unit, by their timm names.

        Where the plan keeps statistics by path and the group's tasks come different ways,
        each way has modules with the same parameters; these are the first task's.

        Raises:
            PlanError: the plan has no such group in that unit.
        """
        return self.backbones.unit_modules(unit, self._one_of(unit, group))

    def unit_parameters(self, unit: int, group: Sequence[str]) -> dict[str, nn.Parameter]:
        """The parameters of a group's copy of a unit, by their timm names.

        Raises:
            PlanError: the plan has no such group in that unit.
        """
        return self.backbones.unit_parameters(unit, self._one_of(unit, group))

    def shared_parameters(self) -> list[nn.Parameter]:
        """The parameters that more than one task uses, in depth order."""
        return [
            parameter
            for unit, group in self.plan.shared_groups()
            for parameter in self.unit_parameters(unit, group).values()
        ]

    def private_parameters(self, task: str) -> list[nn.Parameter]:
        """The parameters that one task alone uses: its own units and its head."""
        own = [
            parameter
            for unit in range(len(self.units))
            if (task,) in self.plan.groups(unit)
            for parameter in self.unit_parameters(unit, (task,)).values()
        ]
        return own + list(self.head(task).parameters())

    @property
    def cost(self) -> Cost:
        """Parameters, each once, and FLOPs for one image, counted on the network as built."""
        heads = sum(
            (head_cost(self.head(task), self.feature_spec) for task in self.tasks), Cost(0, 0)
        )
        flops = dry_run(self.backbones, self.feature_spec.image_size, count_flops)
        return Cost(count_parameters(self.backbones), flops) + heads

    def _check_task(self, task: str) -> None:
        if task not in self.plan.tasks:
            raise PlanError(
                f"the network has no task {task!r}{did_you_mean(task, self.plan.tasks)}",
                allowed=self.plan.tasks,
            )

    def _one_of(self, unit: int, group: Sequence[str]) -> str:
        groups = self.plan.groups(unit)
        if tuple(sorted(group)) not in groups:
            raise PlanError(
                f"{'+'.join(group)} is no group of unit {unit}",
                allowed=["+".join(each) for each in groups],
            )
        return group[0]
