"""Final changes of paused trials, from those at the epoch at which they paused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtlsearch.results import TrialRecord, counted_metrics, delta_m_by_task
from mtlsearch.search.samplers import Observation
from mtlsearch.study import StudyView

PRIOR_RATE, PRIOR_PAIRS, MIN_RATE = 0.3, 1.0, 0.1
"""Ratio of final to early changes before any training, how many trainings it counts as, and the
lowest one."""


def extrapolate_early(
    trained: Sequence[Observation], view: StudyView, tasks: Sequence[str]
) -> list[Observation]:
    """Return the trainings, with the changes of paused trials times a factor per task and epoch.

    The change of a task of which no metric is counted at that epoch is NaN: it is missing, not 0.

    The factor of the surrogate of a search can be 0, which would end all differences of a task.
    Two complete trainings are too few for that.

    Args:
        trained: trials with changes.
        view: the study.
        tasks: task names, sorted.

    Returns:
        The trials; those that are not paused are unchanged.
    """
    record_by_number = {record.number: record for record in view.records}
    items, rate_by_rung = [], dict[int, dict[str, float]]()
    for item in trained:
        record = record_by_number[item.number]
        if record.state == "paused":
            rung = max(record.rung_results)
            if rung not in rate_by_rung:
                rate_by_rung[rung] = _rates(view, tasks, rung)
            early = _changes_at(record, view, rung) or {}
            counted = counted_metrics(view.reference_results(rung)).by_task
            changes = {
                task: rate_by_rung[rung][task] * early[task] if task in counted else math.nan
                for task in tasks
            }
            item = replace(item, changes=changes)
        items.append(item)
    return items


def _rates(view: StudyView, tasks: Sequence[str], rung: int) -> dict[str, float]:
    """Return the ratio of final to early changes by task, drawn toward :data:`PRIOR_RATE`."""
    pairs = early_and_final(view, rung)
    rates = {}
    for task in tasks:
        sum_of_squares = sum(early[task] ** 2 for early, _ in pairs)
        if sum_of_squares == 0.0:
            rates[task] = PRIOR_RATE
            continue
        products = sum(early[task] * final[task] for early, final in pairs)
        weight = PRIOR_PAIRS * sum_of_squares / len(pairs)
        rate = (products + weight * PRIOR_RATE) / (sum_of_squares + weight)
        rates[task] = min(1.0, max(MIN_RATE, rate))
    return rates


def early_and_final(
    view: StudyView, epoch: int
) -> list[tuple[Mapping[str, float], Mapping[str, float]]]:
    """Return changes at an epoch and at the end of complete trials.

    ``independent`` has no changes, and trials of other backbones are not compared.
    """
    backbone = None if view.reference is None else view.reference.candidate.backbone
    pairs = list[tuple[Mapping[str, float], Mapping[str, float]]]()
    for record in view.records:
        if (
            record.state == "complete"
            and record.baseline != "independent"
            and record.candidate.backbone == backbone
        ):
            early = _changes_at(record, view, epoch)
            final = delta_m_by_task(record.results, view.reference_results())
            if early is not None and final is not None:
                pairs.append((early, final))
    return pairs


def _changes_at(record: TrialRecord, view: StudyView, epoch: int) -> dict[str, float] | None:
    """Return the changes at an epoch in the unit of final changes; 0 for tasks without any.

    Parts of Δm are larger the fewer tasks it counts, which may be fewer at an early epoch.
    """
    reference = view.reference_results(epoch)
    changes = delta_m_by_task(record.rung_results.get(epoch, {}), reference)
    num_early = len(counted_metrics(reference).by_task)
    num_final = len(counted_metrics(view.reference_results()).by_task)
    if changes is None or not num_final:
        return changes
    return {task: change * num_early / num_final for task, change in changes.items()}
