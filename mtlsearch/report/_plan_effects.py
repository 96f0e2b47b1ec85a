"""Effect of sharing on each task: its change against the number of units that it shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean

from mtlsearch.plan import SharingPlan
from mtlsearch.results import (
    TaskResult,
    TrialRecord,
    counted_metrics,
    delta_m_by_task,
    delta_m_error_by_task,
    reference_of,
)


@dataclass(frozen=True, slots=True)
class EffectPoint:
    """The change of one task in one training.

    Attributes:
        trial: trial number.
        num_shared: number of units that the two tasks share; in a tree, the split depth.
        change: change of the task against ``independent``, in percent; higher is better.
        error: its standard error over validation images, in percent; None if unknown.
    """

    trial: int
    num_shared: int
    change: float
    error: float | None


@dataclass(frozen=True, slots=True)
class PairEffect:
    """The change of one task against the number of units that it shares with another task.

    Attributes:
        task: the task that is measured.
        other: the task that it shares units with.
        num_units: number of units of the backbone.
        points: one point per complete training.
    """

    task: str
    other: str
    num_units: int
    points: Sequence[EffectPoint]

    @property
    def means(self) -> list[tuple[int, float]]:
        """Mean change by number of shared units, ascending."""
        changes_by_depth: dict[int, list[float]] = {}
        for point in self.points:
            changes_by_depth.setdefault(point.num_shared, []).append(point.change)
        return [(depth, fmean(changes)) for depth, changes in sorted(changes_by_depth.items())]


def pair_effects(
    records: Sequence[TrialRecord], repeats: Sequence[TrialRecord] = ()
) -> list[PairEffect]:
    """Return the effect of sharing for each ordered pair of tasks.

    Args:
        records: the trials of a run.
        repeats: trainings of trials with other seeds.

    Returns:
        Effects in the order of the tasks, without tasks of which Δm counts no metric; empty with
        one task, without a reference, or if plans have different numbers of units.
    """
    reference = reference_of(records)
    complete = [record for record in (*records, *repeats) if record.state == "complete"]
    counts = {len(record.candidate.plan.rows) for record in complete}
    if not reference or len(counts) != 1:
        return []
    changes = [(record, task_changes(record, reference)) for record in complete]
    measured = counted_metrics(reference).by_task
    pairs = [pair for pair in permutations(sorted(reference), 2) if pair[0] in measured]
    return [
        PairEffect(
            task,
            other,
            counts.copy().pop(),
            [
                EffectPoint(
                    record.number if record.repeats is None else record.repeats,
                    num_shared(record.candidate.plan, task, other),
                    *by_task[task],
                )
                for record, by_task in changes
                if task in by_task
            ],
        )
        for task, other in pairs
    ]


def task_changes(
    record: TrialRecord, reference: Mapping[str, TaskResult]
) -> dict[str, tuple[float, float | None]]:
    """Return the mean relative change of the counted metrics of each task.

    Args:
        record: a complete trial.
        reference: results of the ``independent`` trial by task.

    Returns:
        Change and its standard error (None if unknown) in percent by task, without tasks of which
        Δm counts no metric; empty if Δm is undefined.
    """
    parts = delta_m_by_task(record.results, reference) or {}
    errors = delta_m_error_by_task(record.results, reference) or {}
    counted = counted_metrics(reference).by_task
    # The parts in Δm are scaled so that their mean over all tasks is Δm.
    scale = len(counted) / len(reference) if reference else 1.0
    return {
        task: (scale * parts[task], scale * errors[task] if task in errors else None)
        for task in counted
        if task in parts
    }


def num_shared(plan: SharingPlan, task: str, other: str) -> int:
    """Return the number of units that two tasks share.

    Args:
        plan: the plan.
        task: one task.
        other: another task.

    Returns:
        The number; in a tree it is the split depth.
    """
    first, second = plan.tasks.index(task), plan.tasks.index(other)
    return sum(row[first] == row[second] >= 0 for row in plan.rows)
