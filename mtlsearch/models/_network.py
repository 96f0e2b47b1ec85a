"""Multi-task network: the task models of a sharing plan with one head per task."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtlsearch.errors import PlanError, did_you_mean
from mtlsearch.models._cut_backbone import CutBackbone
from mtlsearch.models._flops import count_flops, count_parameters, head_cost
from mtlsearch.models.cutting import dry_run
from mtlsearch.models.sharing import Rows, module_keys
from mtlsearch.plan import Cost, FeatureSpec, SharingPlan, UnitSpec
from mtlsearch.plugin import to_device

Outputs = dict[str, Tensor]


class MultiTaskNetwork(nn.Module):
    """Network for several tasks on one backbone, shared according to a plan.

    State-dict keys are ``backbones.<task>.<timm's key>`` and ``heads.<task>.<key>``. A shared
    weight has the key of its first task only.

    Attributes:
        plan: the sharing plan.
        feature_spec: the feature levels that heads get.
        units: the units of the backbone.
        num_frozen: number of frozen units, see :meth:`freeze`.
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
        self.num_frozen = 0
        self._frozen_modules: list[nn.Module] = []
        self._keys = module_keys(plan.tasks)
        self.backbones = cut.build_backbones(plan)
        self.heads = nn.ModuleDict({self._keys[task]: heads[task] for task in plan.tasks})
        _own_buffers(self)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks, sorted."""
        return self.plan.tasks

    def forward(
        self,
        images: Tensor,
        tasks: Sequence[str] | None = None,
        rows: Mapping[str, Rows] | None = None,
    ) -> dict[str, Outputs]:
        """Run the backbones and heads of some tasks.

        A single image has no batch statistics in training, so a network with BatchNorm then
        runs on one more image of the batch; its outputs are removed.

        Args:
            images: float ``[B, C, H, W]``, normalized.
            tasks: the tasks; all tasks by default. Units that only other tasks use do not run.
            rows: ascending indices of a task's images, at least one, for tasks that do not need
                all images of the batch. A unit runs on the images of its tasks.

        Returns:
            Outputs of the head for the task's images, by task.

        Raises:
            PlanError: the network does not have one of the tasks.
        """
        if not rows:
            features = self.features(images, tasks)
            return {task: self.head(task)(levels) for task, levels in features.items()}
        padded = self._with_statistics(rows, len(images))
        outputs: dict[str, Outputs] = {}
        for task, levels in self.features(images, tasks, padded).items():
            outputs[task] = self.head(task)(levels)
            if padded.get(task) != rows.get(task):
                positions = torch.tensor([padded[task].index(row) for row in rows[task]])
                index = to_device(positions, images.device)
                outputs[task] = {
                    name: value.index_select(0, index) for name, value in outputs[task].items()
                }
        return outputs

    def features(
        self,
        images: Tensor,
        tasks: Sequence[str] | None = None,
        rows: Mapping[str, Rows] | None = None,
    ) -> dict[str, list[Tensor]]:
        """Run the backbones of some tasks.

        Args:
            images: float ``[B, C, H, W]``, normalized.
            tasks: the tasks; all tasks by default.
            rows: ascending indices of a task's images, at least one, for tasks that do not need
                all images of the batch.

        Returns:
            Feature levels ``[n, C, h, w]`` of the task's n images by task, the finest first.

        Raises:
            PlanError: the network does not have one of the tasks.
        """
        for task in tasks or ():
            self._check_task(task)
        features: dict[str, list[Tensor]] = self.backbones(images, tasks, rows)
        return features

    def freeze(self, num_units: int) -> None:
        """Freeze the first units: their weights, and everything that training mode changes.

        All copies of these units stay in evaluation mode, so that running statistics do not
        change, and dropout and stochastic depth do not apply. Their weights have no gradient.

        Args:
            num_units: number of units, counted from the image.

        Raises:
            PlanError: the backbone has fewer units.
        """
        if num_units > len(self.units):
            raise PlanError(
                f"cannot freeze {num_units} units, the backbone has {len(self.units)}",
                allowed=[f"0 to {len(self.units)}"],
            )
        self.num_frozen = num_units
        for unit in range(num_units):
            for group in self.plan.groups(unit):
                for parameter in self.unit_parameters(unit, group).values():
                    parameter.requires_grad_(False)
                for task in group:  # with statistics by path, tasks have modules of their own
                    self._frozen_modules += self.backbones.unit_modules(unit, task).values()
        self.train(self.training)

    def freeze_tasks(self, tasks: Collection[str]) -> None:
        """Freeze all that some tasks use: the copies of units on their paths, and their heads.

        It stays in evaluation mode, as with :meth:`freeze`, and no training changes the outputs of
        these tasks in evaluation mode.

        Args:
            tasks: tasks of the network.

        Raises:
            PlanError: the network does not have one of the tasks.
        """
        for task in tasks:
            for unit, group in enumerate(self.plan.path_of(task)):
                if not group:
                    continue  # the task skips the unit
                for parameter in self.backbones.unit_parameters(unit, task).values():
                    parameter.requires_grad_(False)
                self._frozen_modules += self.backbones.unit_modules(unit, task).values()
            self.head(task).requires_grad_(False)
            self._frozen_modules.append(self.head(task))
        self.train(self.training)

    def tune_copies(self, copies: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Train the weights of some copies of units that :meth:`freeze_tasks` has frozen.

        They stay in evaluation mode: running statistics do not change, and dropout and stochastic
        depth do not apply.

        Args:
            copies: unit and tasks of each copy.

        Raises:
            PlanError: the plan does not have one of the groups.
        """
        for unit, group in copies:
            for parameter in self.unit_parameters(unit, group).values():
                parameter.requires_grad_(True)

    def frozen_buffers(self) -> Iterator[Tensor]:
        """Yield the buffers of frozen modules, which training does not change.

        Yields:
            Running statistics and other buffers; some of them more than once.
        """
        for module in self._frozen_modules:
            yield from module.buffers()

    def train(self, mode: bool = True) -> MultiTaskNetwork:
        """Set the training mode; frozen units stay in evaluation mode.

        Args:
            mode: whether to train.

        Returns:
            The network.
        """
        super().train(mode)
        for module in self._frozen_modules:
            module.eval()
        return self

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

        With ``statistics="path"``, each path of the group has its chosen modules with the same
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

    def _with_statistics(self, rows: Mapping[str, Rows], num_images: int) -> Mapping[str, Rows]:
        """Add an image to single ones where BatchNorm needs two."""
        is_single = num_images > 1 and any(len(chosen) == 1 for chosen in rows.values())
        if not is_single or not any(
            isinstance(module, _BatchNorm) and module.training for module in self.modules()
        ):
            return rows
        neighbors = {row: row + 1 if row + 1 < num_images else row - 1 for row in range(num_images)}
        return {
            task: tuple(sorted((*chosen, neighbors[chosen[0]]))) if len(chosen) == 1 else chosen
            for task, chosen in rows.items()
        }

    def _first_task(self, unit: int, group: Sequence[str]) -> str:
        groups = self.plan.groups(unit)
        if tuple(sorted(group)) not in groups:
            raise PlanError(
                f"unit {unit} does not have the group {'+'.join(group)}",
                allowed=["+".join(tasks) for tasks in groups],
            )
        return group[0]


def _own_buffers(network: nn.Module) -> None:
    """Replace buffers that repeat their numbers, such as expanded ones, by ordinary tensors.

    torch stores the former as they are, and can neither load nor change them in place.
    """
    copy_by_id: dict[int, Tensor] = {}
    for module in network.modules():
        for name, buffer in list(module.named_buffers(recurse=False, remove_duplicate=False)):
            strides = zip(buffer.shape, buffer.stride(), strict=True)
            if any(length > 1 and stride == 0 for length, stride in strides):
                is_stored = name not in module._non_persistent_buffers_set
                ordinary = copy_by_id.setdefault(id(buffer), buffer.contiguous())
                module.register_buffer(name, ordinary, persistent=is_stored)
