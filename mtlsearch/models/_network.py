"""Multi-task network: the task models of a sharing plan with one head per task."""

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
    """Network for several tasks on one backbone, shared according to a plan.

    State-dict keys are ``backbones.<task>.<timm's key>`` and ``heads.<task>.<key>``. A shared
    weight has the key of its first task only.

    Attributes:
        plan: the sharing plan.
        feature_spec: the feature levels that heads get.
        units: the units of the backbone.
        backbones: the task models.
        heads: the heads.

    Args:
        cut: the cut backbone.
        plan: a plan for its units.
        heads: one module per task of the plan, which maps a list of levels ``[B, C, h, w]`` to
            tensors by name.

    Raises:
        PlanError: the plan has another number of units, the heads are for other tasks, or the
            plan skips a unit that is not skippable.
    """

    def __init__(self, cut: CutBackbone, plan: SharingPlan, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        if set(heads) != set(plan.tasks):
            raise PlanError(
                f"the tasks of plan and heads differ: expected {', '.join(plan.tasks)}, "
                f"got heads for {', '.join(sorted(heads))}",
                next_step="pass one head per task of the plan",
            )
        self.plan = plan
        self.feature_spec: FeatureSpec = cut.features
        self.units: tuple[UnitSpec, ...] = cut.units
        self._keys = module_keys(plan.tasks)
        self.backbones = cut.build_backbones(plan)
        self.heads = nn.ModuleDict({self._keys[task]: heads[task] for task in plan.tasks})

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks, sorted."""
        return self.plan.tasks

    def forward(self, images: Tensor, tasks: Sequence[str] | None = None) -> dict[str, Outputs]:
        """Run the backbones and heads of some tasks.

        Args:
            images: float ``[B, C, H, W]``, normalized.
            tasks: the tasks; all tasks by default. Units that only other tasks use do not run.

        Returns:
            Outputs of the head by task.

        Raises:
            PlanError: the network does not have one of the tasks.
        """
        features = self.features(images, tasks)
        return {task: self.head(task)(levels) for task, levels in features.items()}

    def features(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, list[Tensor]]:
        """Run the backbones of some tasks.

        Args:
            images: float ``[B, C, H, W]``, normalized.
            tasks: the tasks; all tasks by default.

        Returns:
            Feature levels ``[B, C, h, w]`` by task, the finest first.

        Raises:
            PlanError: the network does not have one of the tasks.
        """
        for task in tasks or ():
            self._check_task(task)
        features: dict[str, list[Tensor]] = self.backbones(images, tasks)
        return features

    def head(self, task: str) -> nn.Module:
        """Return the head of a task.

        Args:
            task: a task of the network.

        Returns:
            The head.

        Raises:
            PlanError: the network does not have the task.
        """
        self._check_task(task)
        return self.heads[self._keys[task]]

    def unit_modules(self, unit: int, group: Sequence[str]) -> dict[str, nn.Module]:
        """Return the modules of a group's copy of a unit.

        With ``statistics="path"``, each path of the group has its own modules with the same
        parameters. The modules are then those of the group's first task.

        Args:
            unit: index of the unit.
            group: the tasks of one group of that unit.

        Returns:
            Modules by timm's name.

        Raises:
            PlanError: the plan does not have this group in this unit.
        """
        return self.backbones.unit_modules(unit, self._first_task(unit, group))

    def unit_parameters(self, unit: int, group: Sequence[str]) -> dict[str, nn.Parameter]:
        """Return the parameters of a group's copy of a unit.

        Args:
            unit: index of the unit.
            group: the tasks of one group of that unit.

        Returns:
            Parameters by timm's name.

        Raises:
            PlanError: the plan does not have this group in this unit.
        """
        return self.backbones.unit_parameters(unit, self._first_task(unit, group))

    def shared_parameters(self) -> list[nn.Parameter]:
        """List the parameters that two or more tasks use.

        Returns:
            Parameters in depth order.
        """
        return [
            parameter
            for unit, group in self.plan.shared_groups()
            for parameter in self.unit_parameters(unit, group).values()
        ]

    def private_parameters(self, task: str) -> list[nn.Parameter]:
        """List the parameters that only one task uses.

        Args:
            task: the task.

        Returns:
            Parameters of its unshared units in depth order, then those of its head.
        """
        in_units = [
            parameter
            for unit in range(len(self.units))
            if (task,) in self.plan.groups(unit)
            for parameter in self.unit_parameters(unit, (task,)).values()
        ]
        return in_units + list(self.head(task).parameters())

    @property
    def cost(self) -> Cost:
        """Parameters and FLOPs for one image, counted on this network; shared ones once."""
        heads = sum(
            (head_cost(self.head(task), self.feature_spec) for task in self.tasks), Cost(0, 0)
        )
        flops = dry_run(
            self.backbones, self.feature_spec.image_size, count_flops, self.backbones.channels
        )
        return Cost(count_parameters(self.backbones), flops) + heads

    def _check_task(self, task: str) -> None:
        if task not in self.plan.tasks:
            raise PlanError(
                f"the network does not have task {task!r}{did_you_mean(task, self.plan.tasks)}",
                allowed=self.plan.tasks,
            )

    def _first_task(self, unit: int, group: Sequence[str]) -> str:
        groups = self.plan.groups(unit)
        if tuple(sorted(group)) not in groups:
            raise PlanError(
                f"unit {unit} does not have the group {'+'.join(group)}",
                allowed=["+".join(tasks) for tasks in groups],
            )
        return group[0]
