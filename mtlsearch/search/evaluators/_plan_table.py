"""Tables of trained plans: one row a plan, seed and epoch, as a CSV file.

Columns:

=================  =========================================================================
``setting``        optional: what else was varied, such as how related the tasks are
``plan``           a word a unit, a character a task: ``000 001 012`` has all three tasks
                   share the first unit; equal characters share, tasks in order of name,
                   and ``-`` passes by
``seed``           the training seed
``epoch``          from 1; a plan's last is its result, earlier ones are for ``search.early_stopping``
``TASK.METRIC:max``  a validation metric, ``:min`` where lower is better
``delta_m``        Δm in percent against ``independent`` of the same setting, seed and epoch
``parameters``     scalars in the network's weights
``flops``          floating-point operations for one image (2 x multiply-adds)
``seconds``        wall time from the start of the training to this epoch's end
=================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mtlsearch.errors import DataError, PlanError
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Metric
from mtlsearch.results import TaskResult

GROUPS = "0123456789abcdefghijklmnopqrstuvwxyz"
SKIPS = "-"
DIRECTIONS = {"max": True, "min": False}


@dataclass(frozen=True, slots=True)
class TrainedPlan:
    """One training of one plan, as a table has it.

    Attributes:
        results_by_epoch: the metrics by epoch, from 1, and task; some epochs may be missing.
        clock: seconds from the start to the end of each of these epochs.
        cost: parameters and FLOPs.
    """

    results_by_epoch: Mapping[int, Mapping[str, TaskResult]]
    clock: Mapping[int, float]
    cost: Cost

    @property
    def epochs(self) -> int:
        """How many were trained."""
        return max(self.results_by_epoch)

    @property
    def results(self) -> Mapping[str, TaskResult]:
        """The metrics after the last epoch, by task."""
        return self.results_by_epoch[self.epochs]

    @property
    def seconds(self) -> float:
        """Wall time of all epochs."""
        return self.clock[self.epochs]


def plan_code(plan: SharingPlan) -> str:
    """The plan as the table's column has it.

    >>> plan_code(SharingPlan.from_splits(["a", "b", "c"], depths=[1, 2], units=3))
    '000 011 012'
    """
    return " ".join(
        "".join(SKIPS if group < 0 else GROUPS[group] for group in row) for row in plan.rows
    )


def plan_of(code: str, tasks: Sequence[str]) -> SharingPlan:
    """The plan that :func:`plan_code` wrote.

    Raises:
        PlanError: it is none of these tasks.
    """
    number = {character: at for at, character in enumerate(GROUPS)} | {SKIPS: -1}
    if not set(code) <= {*number, " "}:
        raise PlanError(f"no plan's code: {code!r}", allowed=["0 to 9", "a to z", SKIPS])
    rows = tuple(tuple(number[character] for character in word) for word in code.split())
    return SharingPlan(tuple(tasks), rows)


def read_table(path: Path, setting: str | None = None) -> pd.DataFrame:
    """A table's rows of one setting.

    Raises:
        DataError: there is no such file or setting, or it lacks a column.
    """
    if not path.is_file():
        raise DataError("there is no such table", where=str(path))
    table = pd.read_csv(path, dtype={"plan": str, "setting": str})
    missing = {"plan", "seed", "epoch", "parameters", "flops", "seconds"} - set(table.columns)
    if missing or not metrics_of(table):
        lacks = ", ".join(sorted(missing)) or "metrics, such as scene.accuracy:max"
        raise DataError(f"the table lacks columns: {lacks}", where=str(path))
    if "setting" not in table.columns:
        return table
    settings = sorted(table["setting"].unique())
    if setting is None and len(settings) == 1:
        return table
    if setting not in settings:
        raise DataError(
            "the table has several settings" if setting is None else f"no setting {setting!r}",
            where=str(path),
            allowed=settings,
            next_step="name one of them",
        )
    return table[table["setting"] == setting]


def metrics_of(table: pd.DataFrame) -> dict[str, dict[str, Metric]]:
    """Every task's metrics by their column; the first of a task is taken for its primary one."""
    found: dict[str, dict[str, Metric]] = {}
    for column in table.columns:
        name, _, direction = str(column).rpartition(":")
        task, dot, metric = name.partition(".")
        if dot and direction in DIRECTIONS:
            known = found.setdefault(task, {})
            known[column] = Metric(
                metric, DIRECTIONS[direction], primary=not known, high=float("inf")
            )
    return dict(sorted(found.items()))


def trained_plans(table: pd.DataFrame, seed: int) -> dict[SharingPlan, TrainedPlan]:
    """What was measured of each plan with one seed."""
    metrics = metrics_of(table)
    found = {}
    for code, rows in table[table["seed"] == seed].groupby("plan", sort=False):
        by_epoch = {int(row["epoch"]): row for row in rows.to_dict("records")}
        last = by_epoch[max(by_epoch)]
        found[plan_of(str(code), tuple(metrics))] = TrainedPlan(
            {epoch: _results(row, metrics) for epoch, row in sorted(by_epoch.items())},
            {epoch: float(row["seconds"]) for epoch, row in by_epoch.items()},
            Cost(int(last["parameters"]), int(last["flops"])),
        )
    return found


def _results(
    row: Mapping[Hashable, Any], metrics: Mapping[str, Mapping[str, Metric]]
) -> dict[str, TaskResult]:
    return {
        task: TaskResult(
            {spec.name: float(row[column]) for column, spec in columns.items()},
            tuple(columns.values()),
        )
        for task, columns in metrics.items()
    }
