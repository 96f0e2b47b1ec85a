"""One model a task, tied together where the plan shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor, nn

from mtlsearch.models.cutting import SkipUnit, UnitModules, run_levels
from mtlsearch.models.sharing._activation_cache import ActivationCache, CachedForward
from mtlsearch.models.sharing._build import build_task_models
from mtlsearch.models.sharing._state_dict import deduplicate_weights
from mtlsearch.plan import SKIPPED, SharingPlan


class SharedBackbones(nn.Module):
    """The backbones of a plan: one timm model a task, of which shared units are the same.

    A shared unit's modules are the *same* objects in the models of all its tasks, so its
    weights, gradients and running statistics are one; in a forward they run once for all
    tasks that have gone the same way so far, and again for those that come another way. Where
    the plan keeps statistics by path, tasks that come different ways have modules of their
    own with the *same* parameters. State-dict keys are ``<task>.<timm's own key>``; what is
    shared stands under the first of its tasks.

    All tasks of one forward see the same batch: a shared unit draws one drop-path mask and
    updates its running statistics once for every way that leads to it. Tasks that bring
    different batches take a forward each, and each one updates them.

    Args:
        template: the model that every copy starts from; left untouched.
        pieces: its units.
        taps: which of timm's intermediate features are the levels.
        plan: a plan for as many units, which passes by none that changes shapes.
    """

    def __init__(
        self,
        template: nn.Module,
        pieces: Sequence[UnitModules],
        out_indices: Sequence[int],
        plan: SharingPlan,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._pieces = tuple(pieces)
        self._taps = tuple(out_indices)
        self._memo = ActivationCache()
        self._keys = module_keys(plan.tasks)
        self._sites = _number_sites(plan)
        for task, task_model in build_task_models(template, self._pieces, plan).items():
            self.add_module(self._keys[task], task_model)
        if any(runs < len(plan.tasks) for runs in plan.runs):
            self._remember()
        deduplicate_weights(self)

    def forward(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, list[Tensor]]:
        """The feature levels of each task.

        Args:
            images: ``[B, 3, H, W]``.
            tasks: the tasks to run; all of the plan by default.

        Returns:
            By task, the levels ``[B, C, h, w]``, finest first.
        """
        chosen = self._plan.tasks if tasks is None else tuple(tasks)
        first: dict[tuple[int, ...], str] = {}  # of the tasks that go one way all along
        for task in chosen:
            first.setdefault(self._sites[task], task)
        self._memo.begin(Counter(site for way in first for site in way))
        found: dict[tuple[int, ...], list[Tensor]] = {}
        try:
            for way, task in first.items():
                self._memo.next_task(way)
                found[way] = run_levels(self.task_model(task), images, self._taps)
            return {task: list(found[self._sites[task]]) for task in chosen}
        finally:
            self._memo.end()

    @property
    def remembers_nothing(self) -> bool:
        """Whether no output is held, as it must be between forwards."""
        return self._memo.is_empty

    def task_model(self, task: str) -> nn.Module:
        """The task's own timm model."""
        return self.get_submodule(self._keys[task])

    def unit_modules(self, unit: int, task: str) -> dict[str, nn.Module]:
        """The modules of the copy of a unit that a task uses, by their timm names."""
        task_model = self.task_model(task)
        return {path: task_model.get_submodule(path) for path in self._pieces[unit].modules}

    def unit_parameters(self, unit: int, task: str) -> dict[str, nn.Parameter]:
        """The parameters of the copy of a unit that a task uses, by their timm names."""
        task_model = self.task_model(task)
        return {name: task_model.get_parameter(name) for name in self._pieces[unit].parameters}

    def _remember(self) -> None:
        """Let the memo stand before every slot of every shell."""
        calls: dict[str, list[tuple[int, bool]]] = {}
        for unit, piece in enumerate(self._pieces):
            for call in piece.calls:
                calls.setdefault(call.path, []).append((unit, call.rewritten))
        for task in self._plan.tasks:
            for number, (path, runs) in enumerate(calls.items()):
                module = self.task_model(task).get_submodule(path)
                if isinstance(module, SkipUnit):
                    continue
                recalled = CachedForward(
                    module,
                    self._memo,
                    number=number,
                    units=tuple(unit for unit, _ in runs),
                    rewritten=any(rewritten for _, rewritten in runs),
                )
                object.__setattr__(module, "forward", recalled)


def module_keys(tasks: Sequence[str]) -> dict[str, str]:
    """For every task a name that a submodule may have: itself, wherever that is possible.

    A dot would nest, and a name such as ``type`` or ``half`` is a method of every module.
    """
    taken = {*dir(nn.ModuleDict()), *dir(SharedBackbones)}
    keys = {}
    for task in tasks:
        key = task.replace(".", "_")
        if not key or key.startswith("_"):  # private names are the module's own
            key = f"task{key}"
        while key in taken:
            key += "_"
        taken.add(key)
        keys[task] = key
    return keys


def _number_sites(plan: SharingPlan) -> dict[str, tuple[int, ...]]:
    """For every task and unit the number, over all units, of the run it has a part in.

    Tasks with one in common see one output. -1 where the task passes by the unit.
    """
    offsets, paths = [0, *accumulate(plan.runs)], plan.paths
    return {
        task: tuple(
            offset + row[place] if row[place] != SKIPPED else SKIPPED
            for offset, row in zip(offsets, paths, strict=False)
        )
        for place, task in enumerate(plan.tasks)
    }
