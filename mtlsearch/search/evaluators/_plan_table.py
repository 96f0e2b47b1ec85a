"""Tables of trained plans: CSV files with one row per plan, seed and epoch.

Columns:

=================  =========================================================================
``setting``        optional: another variable, such as how related the tasks are
``plan``           one word per unit with one character per task: in ``000 001 012`` all three
                   tasks share the first unit. Tasks with equal characters share the unit;
                   tasks are sorted by name; a task with ``-`` skips the unit
``seed``           the training seed
``epoch``          from 1; the last epoch of a plan is its result, ``search.early_stopping``
                   uses the others
``TASK.METRIC:max``  a validation metric; ``:min`` if lower is better; ``:max-not-counted`` or
                   ``:min-not-counted`` if Δm does not count it
``delta_m``        Δm in percent against ``independent`` of the same setting, seed and epoch
``parameters``     scalars in the network's weights
``flops``          floating-point operations for one image (2 per multiply-add)
``seconds``        wall time from the start of training to the end of this epoch
=================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlsearch.errors import DataError, PlanError
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Metric
from mtlsearch.results import TaskResult

if TYPE_CHECKING:
    import pandas as pd

GROUPS = "0123456789abcdefghijklmnopqrstuvwxyz"
SKIPS = "-"
HIGHER_IS_BETTER = {"max": True, "min": False}
NOT_COUNTED = "-not-counted"
"""Ending of the column of a metric that Δm does not count."""

REQUIRED_COLUMNS = {"plan", "seed", "epoch", "parameters", "flops", "seconds"}


@dataclass(frozen=True, slots=True)
class TrainedPlan:
    """Results of one plan and one seed.

    Attributes:
        results_by_epoch: results by epoch, from 1, and task; epochs may be missing.
        seconds_by_epoch: wall time from the start of training to the end of each epoch.
        cost: parameters and FLOPs.
    """

    results_by_epoch: Mapping[int, Mapping[str, TaskResult]]
    seconds_by_epoch: Mapping[int, float]
    cost: Cost

    @property
    def epochs(self) -> int:
        """Number of trained epochs."""
        return max(self.results_by_epoch)

    @property
    def results(self) -> Mapping[str, TaskResult]:
        """Results after the last epoch, by task."""
        return self.results_by_epoch[self.epochs]


def plan_code(plan: SharingPlan) -> str:
    """Encode a plan as in the ``plan`` column of a table.

    >>> plan_code(SharingPlan.from_splits(["a", "b", "c"], depths=[1, 2], units=3))
    '000 011 012'

    Args:
        plan: the plan.

    Returns:
        One word per unit with one character per task.
    """
    return " ".join(
        "".join(SKIPS if group < 0 else GROUPS[group] for group in row) for row in plan.rows
    )


def parse_plan_code(code: str, tasks: Sequence[str]) -> SharingPlan:
    """Invert :func:`plan_code`.

    Args:
        code: one word per unit with one character per task.
        tasks: task names, sorted.

    Returns:
        The plan.

    Raises:
        PlanError: the code is not a plan of these tasks.
    """
    group_by_character = {character: group for group, character in enumerate(GROUPS)}
    group_by_character[SKIPS] = -1
    if not set(code) <= {*group_by_character, " "}:
        raise PlanError(
            f"a plan code must not contain other characters, got {code!r}",
            allowed=["0 to 9", "a to z", SKIPS],
        )
    rows = tuple(
        tuple(group_by_character[character] for character in word) for word in code.split()
    )
    return SharingPlan(tuple(tasks), rows)


def read_table(path: Path, setting: str | None = None) -> pd.DataFrame:
    """Read the rows of one setting.

    Args:
        path: a CSV file.
        setting: value of the column ``setting``; None if the table has one setting.

    Returns:
        The rows.

    Raises:
        DataError: the file, the setting or a column does not exist, the file is not a table, or a
            cell is not a number.
    """
    import pandas as pd  # takes longer than all other imports of this package

    if not path.is_file():
        raise DataError("the table does not exist", where=str(path))
    try:
        table = pd.read_csv(path, dtype={"plan": str, "setting": str})
    except ValueError as error:  # also of other encodings and of rows with too many cells
        reason = " ".join(str(error).split())
        raise DataError(f"the file is not a CSV table: {reason}", where=str(path)) from error
    missing = REQUIRED_COLUMNS - set(table.columns)
    if missing or not metrics_by_task(table):
        columns = ", ".join(sorted(missing)) or "metrics, such as scene.accuracy:max"
        raise DataError(f"the table lacks columns: {columns}", where=str(path))
    _require_numbers(table, str(path))
    if "setting" not in table.columns:
        return table
    settings = sorted(table["setting"].unique())
    if setting is None and len(settings) == 1:
        return table
    if setting not in settings:
        raise DataError(
            "the table has several settings"
            if setting is None
            else f"the table does not have the setting {setting!r}",
            where=str(path),
            allowed=settings,
            next_step="set `setting` to one of them",
        )
    return table[table["setting"] == setting]


def _require_numbers(table: pd.DataFrame, where: str) -> None:
    """Check that all columns but ``plan`` and ``setting`` contain numbers; a metric can be NaN.

    Raises:
        DataError: a cell does not.
    """
    import numpy as np
    import pandas as pd

    counted = sorted(REQUIRED_COLUMNS - {"plan"})
    lowest_by_column = {"epoch": 1, "parameters": 0, "flops": 0, "seconds": 0}
    metrics = [column for of_task in metrics_by_task(table).values() for column in of_task]
    for column in (*counted, *metrics):
        cells = table[column]
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
        is_valid = np.isfinite(numbers) | (cells.isna().to_numpy() & (column in metrics))
        if column in counted:
            # Integers above are not exact as floating-point numbers.
            lowest, highest = lowest_by_column.get(column, -(2**53)), 2**53
            is_valid &= (numbers >= lowest) & (numbers <= highest)
            is_valid &= (numbers == np.floor(numbers)) | (column == "seconds")
        if not is_valid.all():
            row = int(is_valid.argmin())
            raise DataError(
                f"column {column!r} must contain {_range(column, lowest_by_column)}, got "
                f"{str(cells.iloc[row])!r}",
                where=f"{where} row {row + 2}",
            )


def _range(column: str, lowest_by_column: Mapping[str, int]) -> str:
    noun = "integers" if column in REQUIRED_COLUMNS - {"seconds"} else "numbers"
    lowest = lowest_by_column.get(column)
    return noun if lowest is None else f"{noun} of at least {lowest}"


def metrics_by_task(table: pd.DataFrame) -> dict[str, dict[str, Metric]]:
    """Return the metrics of a table.

    Args:
        table: rows of a table.

    Returns:
        Metric by task and column; the first metric of a task is its primary one.
    """
    metrics: dict[str, dict[str, Metric]] = {}
    for column in table.columns:
        name, _, kind = str(column).rpartition(":")
        task, dot, metric = name.partition(".")
        direction = kind.removesuffix(NOT_COUNTED)
        if dot and direction in HIGHER_IS_BETTER:
            of_task = metrics.setdefault(task, {})
            is_primary = not of_task
            of_task[column] = Metric(
                metric,
                HIGHER_IS_BETTER[direction],
                primary=is_primary,
                high=float("inf"),
                in_delta_m=not kind.endswith(NOT_COUNTED),
            )
    return dict(sorted(metrics.items()))


def trained_plans(table: pd.DataFrame, seed: int) -> dict[SharingPlan, TrainedPlan]:
    """Return the results of all plans with one seed.

    Args:
        table: rows of one setting.
        seed: the training seed.

    Returns:
        Results by plan, in the order of the table.
    """
    metrics = metrics_by_task(table)
    trained = {}
    for code, rows in table[table["seed"] == seed].groupby("plan", sort=False):
        row_by_epoch = {int(row["epoch"]): row for row in rows.to_dict("records")}
        last_row = row_by_epoch[max(row_by_epoch)]
        trained[parse_plan_code(str(code), tuple(metrics))] = TrainedPlan(
            {epoch: _results(row, metrics) for epoch, row in sorted(row_by_epoch.items())},
            {epoch: float(row["seconds"]) for epoch, row in row_by_epoch.items()},
            Cost(int(last_row["parameters"]), int(last_row["flops"])),
        )
    return trained


def _results(
    row: Mapping[Hashable, Any], metrics: Mapping[str, Mapping[str, Metric]]
) -> dict[str, TaskResult]:
    return {
        task: TaskResult(
            {spec.name: float(row[column]) for column, spec in spec_by_column.items()},
            tuple(spec_by_column.values()),
        )
        for task, spec_by_column in metrics.items()
    }
