"""Passes: on which images of a batch each task model runs, if some images lack labels.

A run of a unit computes the images that any of its tasks needs. A *pass* is one execution of a
task model on some images. It takes the outputs of earlier runs from the activation cache, with
its images selected. It ends at the first run that needs fewer images than the pass has.

>>> plan = plan_passes({"a": (0, 1), "b": (0, 2)}, {"a": (0, 1), "b": (1, 2)})
>>> [(each.task, each.rows) for each in plan.passes]
[('a', (0, 1, 2)), ('a', (0, 1)), ('b', (1, 2))]
>>> plan.rows_by_run
{0: (0, 1, 2), 1: (0, 1), 2: (1, 2)}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtlsearch.plan import SKIPPED
from mtlsearch.plugin import to_device

Rows = tuple[int, ...]
"""Ascending indices of images in a batch."""

Path = tuple[int, ...]
"""The run that a task takes part in, for every unit; -1 if it skips the unit."""


class PassEnd(Exception):  # noqa: N818 - it ends a pass and is not an error
    """End of a pass before the last unit."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One execution of a task model.

    Attributes:
        task: the task whose model runs.
        path: the runs of the task.
        rows: the images of the batch.
    """

    task: str
    path: Path
    rows: Rows


@dataclass(frozen=True, slots=True)
class PassPlan:
    """All passes of one forward pass of a network.

    Attributes:
        passes: the passes in order; the last one of each path returns its feature levels.
        rows_by_run: the images that each run computes.
        num_uses: number of passes that need the outputs of each run.
    """

    passes: tuple[Pass, ...]
    rows_by_run: Mapping[int, Rows]
    num_uses: Mapping[int, int]


def plan_passes(path_by_task: Mapping[str, Path], rows_by_task: Mapping[str, Rows]) -> PassPlan:
    """Plan the passes so that each run computes the images of its tasks, and these once.

    Args:
        path_by_task: the runs of each task.
        rows_by_task: the images of each task, at least one.

    Returns:
        The passes.
    """
    rows_by_path = _union_by_path(path_by_task, rows_by_task)
    rows_by_run: dict[int, Rows] = {}
    for path, rows in rows_by_path.items():
        for run in _runs(path):
            rows_by_run[run] = union([rows_by_run.get(run, ()), rows])
    task_by_path: dict[Path, str] = {}
    for task, path in path_by_task.items():
        task_by_path.setdefault(path, task)
    passes: list[Pass] = []
    computed: set[int] = set()
    for path, task in task_by_path.items():
        # The images of the runs on a path become fewer with depth.
        missing = [rows_by_run[run] for run in _runs(path) if run not in computed]
        path_rows = rows_by_path[path]
        ordered = [*(rows for rows in missing if rows != path_rows), path_rows]
        passes += [Pass(task, path, rows) for rows in dict.fromkeys(ordered)]
        computed.update(_runs(path))
    num_uses = dict.fromkeys(rows_by_run, 0)
    for planned in passes:
        for run in _runs(planned.path):
            num_uses[run] += set(planned.rows) <= set(rows_by_run[run])
    return PassPlan(tuple(passes), rows_by_run, num_uses)


def union_of_connected(
    path_by_task: Mapping[str, Path], rows_by_task: Mapping[str, Rows]
) -> dict[str, Rows]:
    """Give all tasks that are connected by common runs the same images.

    Args:
        path_by_task: the runs of each task.
        rows_by_task: the images of each task.

    Returns:
        The images by task, with which no pass selects images from an output.
    """
    components: list[tuple[set[int], list[str]]] = []
    for task, path in path_by_task.items():
        runs, names = set(_runs(path)), [task]
        for other in [component for component in components if component[0] & runs]:
            components.remove(other)
            runs, names = runs | other[0], [*other[1], *names]
        components.append((runs, names))
    return {
        task: union(rows_by_task[name] for name in names)
        for _, names in components
        for task in names
    }


def union(parts: Iterable[Rows]) -> Rows:
    """Return the images of any of several selections, ascending."""
    return tuple(sorted({row for part in parts for row in part}))


class RowSelector:
    """Selects images from tensors; equal selections have one index tensor.

    Args:
        device: device of the tensors.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._indices: dict[tuple[Rows, Rows], Tensor] = {}

    def __call__(self, tensor: Tensor, present: Rows, rows: Rows) -> Tensor:
        """Select images.

        Args:
            tensor: values ``[n, ...]`` of the images ``present``.
            present: the n images that the tensor contains.
            rows: some of them.

        Returns:
            The values ``[m, ...]`` of ``rows``; the same tensor if these are all.
        """
        if rows == present:
            return tensor
        if (present, rows) not in self._indices:
            position = {row: index for index, row in enumerate(present)}
            index = torch.tensor([position[row] for row in rows])
            self._indices[present, rows] = to_device(index, self._device)
        return select_rows(tensor, self._indices[present, rows])


@dataclass(frozen=True, slots=True)
class Selection:
    """The images of one pass in the outputs of each run.

    Attributes:
        rows: the images of the pass.
        rows_by_run: the images of each run.
        selector: selects images from tensors.
    """

    rows: Rows
    rows_by_run: Mapping[int, Rows]
    selector: RowSelector

    def is_complete(self, run: int) -> bool:
        """Return whether a run computes exactly the images of the pass."""
        return self.rows_by_run[run] == self.rows

    def select(self, run: int, output: Any, batched: Iterator[bool]) -> Any:
        """Select the images of the pass from an output.

        Args:
            run: the run that computed the output.
            output: tensors in nested tuples, lists and dicts.
            batched: for each tensor, whether its first dimension is the batch.

        Returns:
            The output with new containers and selected tensors.
        """
        if isinstance(output, Tensor):
            if not next(batched):
                return output.clone()
            return self.selector(output, self.rows_by_run[run], self.rows)
        if isinstance(output, dict):
            return {key: self.select(run, item, batched) for key, item in output.items()}
        if isinstance(output, (list, tuple)):
            items = [self.select(run, item, batched) for item in output]
            return items if isinstance(output, list) else tuple(items)
        return output


def select_rows(tensor: Tensor, rows: Tensor) -> Tensor:
    """Select images; the result has the memory order of the tensor.

    Args:
        tensor: values ``[n, ...]``.
        rows: int64 ``[m]``, indices of images.

    Returns:
        The values ``[m, ...]``.
    """
    is_channels_last = (
        tensor.ndim == 4
        and not tensor.is_contiguous()
        and tensor.is_contiguous(memory_format=torch.channels_last)
    )
    if is_channels_last:  # else the result would have another order, which is slow
        return tensor.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
    return tensor.index_select(0, rows)


def _union_by_path(
    path_by_task: Mapping[str, Path], rows_by_task: Mapping[str, Rows]
) -> dict[Path, Rows]:
    rows_by_path: dict[Path, Rows] = {}
    for task, path in path_by_task.items():
        rows_by_path[path] = union([rows_by_path.get(path, ()), rows_by_task[task]])
    return rows_by_path


def _runs(path: Path) -> Sequence[int]:
    return [run for run in path if run != SKIPPED]
