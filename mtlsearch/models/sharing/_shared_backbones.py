"""The backbones of a sharing plan: one task model per task, with common modules."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mtlsearch.models.cutting import Call, SkipUnit, UnitModules, compute_levels
from mtlsearch.models.sharing._activation_cache import (
    ActivationCache,
    CachedForward,
    Key,
    OutputStore,
)
from mtlsearch.models.sharing._build import build_task_models
from mtlsearch.models.sharing._passes import (
    PassEnd,
    Path,
    Rows,
    RowSelector,
    Selection,
    plan_passes,
    union_of_connected,
)
from mtlsearch.plan import SKIPPED, SharingPlan

if TYPE_CHECKING:
    from mtlsearch.models.sharing._prefix_store import StoredOutput


class SharedBackbones(nn.Module):
    """The task models of a sharing plan; the modules of a shared unit are the same objects.

    A forward pass runs a shared unit once per distinct path. With ``statistics="path"``, tasks
    on different paths have modules of their own with the *same* parameters. State-dict keys are
    ``<task>.<timm's key>``; a shared weight has the key of its first task only.

    All tasks of one forward pass get the same batch, or some of its images each. A run computes
    the images of its tasks. A shared unit draws one stochastic-depth mask and updates its
    running statistics once per run. Tasks with different batches need one forward pass each,
    and each pass updates the statistics.

    Args:
        template: the backbone that every copy starts from; it does not change.
        units: its units in depth order.
        out_indices: indices of the feature levels.
        plan: a plan for these units that skips only skippable units.
        channels: number of channels of the images.
    """

    def __init__(
        self,
        template: nn.Module,
        units: Sequence[UnitModules],
        out_indices: Sequence[int],
        plan: SharingPlan,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.channels = channels
        self._plan = plan
        self._units = tuple(units)
        self._out_indices = tuple(out_indices)
        self._cache = ActivationCache()
        self._stored_tasks: tuple[str, ...] = ()
        self._frozen_runs: frozenset[int] = frozenset()
        self._keys = module_keys(plan.tasks)
        self._run_ids = _number_runs(plan)
        self._can_select = all(call.batched is not None for unit in units for call in unit.calls)
        for task, task_model in build_task_models(template, self._units, plan).items():
            self.add_module(self._keys[task], task_model)
        if any(num_runs < len(plan.tasks) for num_runs in plan.runs):
            self._cache_outputs()
        _deduplicate_weights(self)

    def forward(
        self,
        images: Tensor,
        tasks: Sequence[str] | None = None,
        rows: Mapping[str, Rows] | None = None,
    ) -> dict[str, list[Tensor]]:
        """Compute the feature levels of some tasks.

        Args:
            images: float ``[B, C, H, W]``, normalized.
            tasks: the tasks; all tasks of the plan by default.
            rows: ascending indices of a task's images, at least one, for tasks that do not need
                all images of the batch.

        Returns:
            Levels ``[n, C, h, w]`` of the task's n images by task, the finest first.
        """
        chosen = self._plan.tasks if tasks is None else tuple(tasks)
        store = self._cache.store
        if store is not None and store.select(len(images), images.device):
            self._fill(store, images)
        if rows:
            return self._forward_rows(images, chosen, rows)
        # Tasks with the same runs in all units have the same features.
        first_task: dict[tuple[int, ...], str] = {}
        for task in chosen:
            first_task.setdefault(self._run_ids[task], task)
        self._cache.begin_forward(Counter(run for path in first_task for run in path))
        levels_by_path: dict[tuple[int, ...], list[Tensor]] = {}
        try:
            for path, task in first_task.items():
                self._cache.begin_task(path)
                task_model = self.task_model(task)
                levels_by_path[path] = compute_levels(task_model, images, self._out_indices)
            return {task: list(levels_by_path[self._run_ids[task]]) for task in chosen}
        finally:
            self._cache.end_forward()

    def _forward_rows(
        self, images: Tensor, chosen: Sequence[str], rows: Mapping[str, Rows]
    ) -> dict[str, list[Tensor]]:
        """Compute the feature levels of each task for its images; see ``_passes.py``."""
        every = tuple(range(len(images)))
        rows_by_task = {task: tuple(rows.get(task, every)) for task in chosen}
        path_by_task = {task: self._run_ids[task] for task in chosen}
        plan = plan_passes(
            path_by_task,
            rows_by_task if self._can_select else union_of_connected(path_by_task, rows_by_task),
        )
        select = RowSelector(images.device)
        inputs = {every: images}
        levels_by_path: dict[Path, tuple[Rows, list[Tensor]]] = {}
        self._cache.begin_forward(plan.num_uses)
        try:
            for planned in plan.passes:
                if planned.rows not in inputs:
                    inputs[planned.rows] = select(images, every, planned.rows)
                self._cache.begin_task(
                    planned.path, Selection(planned.rows, plan.rows_by_run, select)
                )
                with suppress(PassEnd):
                    task_model = self.task_model(planned.task)
                    levels = compute_levels(task_model, inputs[planned.rows], self._out_indices)
                    levels_by_path[planned.path] = planned.rows, levels
        finally:
            self._cache.end_forward()
        selected: dict[tuple[Path, Rows], list[Tensor]] = {}
        for task, path in path_by_task.items():
            present, levels = levels_by_path[path]
            key = path, rows_by_task[task]
            if key not in selected:
                selected[key] = [select(level, present, rows_by_task[task]) for level in levels]
        return {task: list(selected[path_by_task[task], rows_by_task[task]]) for task in chosen}

    def plan_store(
        self, images: Tensor, tasks: Sequence[str], kept: Sequence[str]
    ) -> dict[Key, StoredOutput] | None:
        """Find what must be stored so that the units that some tasks use need not run.

        Args:
            images: some images ``[B, C, H, W]``, normalized; the backbones are in evaluation mode.
            tasks: the tasks that run.
            kept: the tasks whose units are frozen, up to the first that is trained.

        Returns:
            The outputs by key; None if they cannot be stored.
        """
        from mtlsearch.models.sharing._prefix_store import plan_store

        runs = self._runs(kept)

        def features() -> list[Tensor]:
            with torch.no_grad():
                return [level for levels in self(images, tasks).values() for level in levels]

        return plan_store(self._cache, runs, features)

    def set_store(
        self, store: OutputStore | None, tasks: Sequence[str] = (), kept: Sequence[str] = ()
    ) -> None:
        """Take outputs from a store, or no longer.

        Args:
            store: outputs of frozen units; None for none.
            tasks: the tasks that run.
            kept: the tasks whose units are frozen, up to the first that is trained.
        """
        self._cache.store = store
        self._stored_tasks, self._frozen_runs = tuple(tasks), self._runs(kept)

    def _fill(self, store: OutputStore, images: Tensor) -> None:
        """Compute the frozen outputs of all images of a batch, labeled or not, for the store."""
        first_task = {self._run_ids[task]: task for task in self._stored_tasks}
        self._cache.begin_forward(Counter(run for path in first_task for run in path))
        self._cache.before_compute = self._end_at_trained
        try:
            with torch.no_grad():
                for path, task in first_task.items():
                    self._cache.begin_task(path)
                    with suppress(PassEnd):
                        compute_levels(self.task_model(task), images, self._out_indices)
        finally:
            self._cache.before_compute = None
            self._cache.end_forward()
        store.complete()

    def _end_at_trained(self, key: Key, inputs: Any) -> None:
        if key[0] not in self._frozen_runs:
            raise PassEnd

    def _runs(self, tasks: Sequence[str]) -> frozenset[int]:
        """Return the runs of some tasks before the first unit whose weights are trained."""
        runs = set()
        for task in tasks:
            for unit, run in enumerate(self._run_ids[task]):
                if run == SKIPPED:
                    continue
                if any(item.requires_grad for item in self.unit_parameters(unit, task).values()):
                    break
                runs.add(run)
        return frozenset(runs)

    @property
    def is_cache_empty(self) -> bool:
        """Whether the activation cache is empty, as it is between forward passes."""
        return self._cache.is_empty

    def task_model(self, task: str) -> nn.Module:
        """Return the timm model of a task.

        Args:
            task: a task of the plan.

        Returns:
            The model; other task models contain some of its modules.
        """
        return self.get_submodule(self._keys[task])

    def unit_modules(self, unit: int, task: str) -> dict[str, nn.Module]:
        """Return the modules of a unit that a task uses.

        Args:
            unit: index of the unit.
            task: a task of the plan.

        Returns:
            Modules by timm's name.
        """
        task_model = self.task_model(task)
        return {path: task_model.get_submodule(path) for path in self._units[unit].modules}

    def unit_parameters(self, unit: int, task: str) -> dict[str, nn.Parameter]:
        """Return the parameters of a unit that a task uses.

        Args:
            unit: index of the unit.
            task: a task of the plan.

        Returns:
            Parameters by timm's name.
        """
        task_model = self.task_model(task)
        return {name: task_model.get_parameter(name) for name in self._units[unit].parameters}

    def _cache_outputs(self) -> None:
        """Put a cached forward in place of the forward of every cut point."""
        calls_by_path: dict[str, list[tuple[int, Call]]] = {}
        for unit, unit_modules in enumerate(self._units):
            for call in unit_modules.calls:
                calls_by_path.setdefault(call.path, []).append((unit, call))
        for task in self._plan.tasks:
            for index, (path, calls) in enumerate(calls_by_path.items()):
                module = self.task_model(task).get_submodule(path)
                if isinstance(module, SkipUnit):
                    continue
                forward = CachedForward(
                    module,
                    self._cache,
                    index=index,
                    units=tuple(unit for unit, _ in calls),
                    is_modified=any(call.is_modified for _, call in calls),
                    batched=tuple(call.batched or () for _, call in calls),
                )
                object.__setattr__(module, "forward", forward)


def module_keys(tasks: Sequence[str]) -> dict[str, str]:
    """Return a valid submodule name for every task, which is the task itself where possible.

    Exporters write these names into Python code, so each is an ASCII identifier and no keyword
    such as ``class``. Names such as ``type`` or ``half`` are methods of every module.

    Args:
        tasks: the tasks, any text.

    Returns:
        Submodule names by task, all different.
    """
    taken = {*dir(nn.ModuleDict()), *dir(SharedBackbones)}
    keys = {}
    for task in tasks:
        key = re.sub(r"\W", "_", task, flags=re.ASCII)
        if not key or key[0] == "_" or key[0].isdigit():  # with an underscore they are private
            key = f"task{key}"
        while key in taken or keyword.iskeyword(key):
            key += "_"
        taken.add(key)
        keys[task] = key
    return keys


def _number_runs(plan: SharingPlan) -> dict[str, tuple[int, ...]]:
    """Return the run of every unit that a task takes part in, numbered over all units.

    Tasks with the same number get the same output. The number is -1 if the task skips the unit.
    """
    offsets, rows = [0, *accumulate(plan.runs)], plan.paths
    return {
        task: tuple(
            offset + row[column] if row[column] != SKIPPED else SKIPPED
            for offset, row in zip(offsets, rows, strict=False)
        )
        for column, task in enumerate(plan.tasks)
    }


def _deduplicate_weights(module: nn.Module) -> None:
    """Make the state dict of a module contain every tensor under its first name only.

    Files then contain every weight once, and safetensors accepts them. The keys are those of
    ``named_parameters`` and ``named_buffers``. A state dict with all names loads as well.
    """
    module.register_state_dict_post_hook(_remove_aliases)  # type: ignore[no-untyped-call]
    module.register_load_state_dict_pre_hook(_restore_aliases)  # type: ignore[no-untyped-call]


def _remove_aliases(
    module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: Any
) -> None:
    for names in _shared_tensor_names(module):
        for name in names[1:]:
            state.pop(prefix + name, None)


def _restore_aliases(module: nn.Module, state: dict[str, Any], prefix: str, *args: Any) -> None:
    for names in _shared_tensor_names(module):
        present = next((prefix + name for name in names if prefix + name in state), None)
        if present is not None:
            for name in names:
                state.setdefault(prefix + name, state[present])


def _shared_tensor_names(module: nn.Module) -> Iterator[list[str]]:
    """Yield the names of each parameter and buffer with several names, in registration order."""
    names_by_id: dict[int, list[str]] = {}
    tensors: Iterator[tuple[str, Tensor]] = chain(
        module.named_parameters(remove_duplicate=False),
        module.named_buffers(remove_duplicate=False),
    )
    for name, tensor in tensors:
        names_by_id.setdefault(id(tensor), []).append(name)
    return (names for names in names_by_id.values() if len(names) > 1)
