"""What each task does to the others, and which tasks would better be separate networks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from mtlsearch.plan import SharingPlan
from mtlsearch.search._surrogate import surrogate_of
from mtlsearch.search.samplers import SharingPosterior, sharing_features
from mtlsearch.study import StudyView

MAX_TASKS = 8
"""Tasks up to which all partitions are compared, of which there are then 4,140."""

CLEAR = 2.0
"""Standard deviations from which a difference is shown."""

MAX_ERROR = 0.05
"""Probability of a false effect in a verdict, over all effects of its run."""

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """Difference of two expected values, in percent.

    Attributes:
        mean: posterior mean.
        deviation: posterior standard deviation.
    """

    mean: float
    deviation: float

    @property
    def is_clear(self) -> bool:
        """Whether it differs from 0 by more than two standard deviations."""
        return abs(self.mean) > CLEAR * self.deviation

    def __str__(self) -> str:
        return f"{self.mean:+.2f} ± {self.deviation:.2f} %"


@dataclass(frozen=True, slots=True)
class TaskEffects:
    """What the surrogate expects of the presence of each task.

    Attributes:
        by_task: of each task, the change of every other task by its presence: all tasks share every
            unit, against all others share every unit and the task is a network of its own.
        groups: the partition of the tasks into hard networks to use: that with the fewest networks
            of those that are not shown to be worse than the highest expected Δm.
        gain: Δm of this partition against one hard network.
    """

    by_task: Mapping[str, Mapping[str, Effect]]
    groups: Groups
    gain: Effect

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is clear, one sentence each; one sentence if nothing is."""
        clear = [
            f"{task} {'helps' if effect.mean > 0 else 'harms'} {other}: {effect}."
            for task, effects in self.by_task.items()
            for other, effect in effects.items()
            if effect.is_clear
        ]
        if len(self.groups) > 1 and self.gain.is_clear:
            names = " | ".join("+".join(group) for group in self.groups)
            clear.append(f"Separate networks are better than one: {names}, Δm {self.gain}.")
        elif clear:
            clear.append("No separation into networks is shown to be better than one.")
        return tuple(clear) or (
            "No effect of a task on another is shown: all are within two standard deviations.",
        )


def task_effects(view: StudyView) -> TaskEffects | None:
    """Estimate what each task does to the others, from all trainings of a study.

    Args:
        view: the study.

    Returns:
        The effects; None before a trial besides ``independent`` is complete, with a single task or
        more than eight, if the plans have different units or skip some, and of an extension.
    """
    model = _model_of(view)
    if model is None:
        return None
    groups, gain = _best_groups(*model)
    return TaskEffects(_effects_by_task(*model), groups, gain)


def effect_sentences(view: StudyView) -> tuple[str, ...]:
    """Return the effects of tasks on others that are shown, for the verdict of a search.

    The probability that any of them is a false one is at most 5 %: each of the n effects has to
    differ from 0 with an error of 5 % / n (Bonferroni).

    Args:
        view: the study.

    Returns:
        One sentence per task with such an effect; empty if none is shown, or if
        :func:`task_effects` returns None.
    """
    model = _model_of(view)
    if model is None:
        return ()
    effects_by_task = _effects_by_task(*model)
    num_effects = sum(map(len, effects_by_task.values()))
    limit = float(ndtri(1 - MAX_ERROR / max(1, num_effects) / 2))
    sentences = []
    for task, effects in effects_by_task.items():
        shown = {
            other: effect
            for other, effect in effects.items()
            if abs(effect.mean) > limit * effect.deviation
        }
        clauses = [
            f"{verb} {' and '.join(names)}"
            for verb, is_gain in (("harms", False), ("helps", True))
            if (names := [f"{o} ({e})" for o, e in shown.items() if (e.mean > 0) is is_gain])
        ]
        if clauses:
            sentences.append(f"In one shared network, {task} {', and '.join(clauses)}.")
    return tuple(sentences)


def _model_of(view: StudyView) -> tuple[SharingPosterior, tuple[str, ...], int] | None:
    """Return the surrogate of a study, its tasks and the number of units; None if unsuitable."""
    surrogate = surrogate_of(view)
    if surrogate is None:
        return None
    observations, posterior = surrogate
    candidate = observations[0].proposal.candidate
    plan = candidate.plan
    if candidate.trained_tasks != plan.tasks or len(plan.tasks) > MAX_TASKS:
        return None
    return posterior, plan.tasks, len(plan.rows)


def _effects_by_task(
    posterior: SharingPosterior, tasks: tuple[str, ...], num_units: int
) -> dict[str, dict[str, Effect]]:
    """Return the change of every other task by the presence of each task."""
    hard = SharingPlan.hard(tasks, num_units)
    effects_by_task = {}
    for task in tasks:
        others = tuple(other for other in tasks if other != task)
        without = _networks(((task,), others), num_units)
        effects_by_task[task] = {
            other: _change(posterior, tasks.index(other), hard, without) for other in others
        }
    return effects_by_task


def _change(
    posterior: SharingPosterior, task: int, plan: SharingPlan, reference: SharingPlan
) -> Effect:
    """Return the change of a task in one plan against another."""
    features = sharing_features([plan, reference])[task]
    if (features[0] == features[1]).all():
        return Effect(0.0, 0.0)
    mean, variance = posterior.differences(task, features[:1], features[1:])
    return Effect(float(mean[0]), math.sqrt(float(variance[0])))


def _best_groups(
    posterior: SharingPosterior, tasks: tuple[str, ...], num_units: int
) -> tuple[Groups, Effect]:
    """Return the fewest networks that are not shown to be worse, and their Δm against one."""
    partitions = list(_partitions(tasks))
    plans = [_networks(groups, num_units) for groups in partitions]
    means = posterior.mean(sharing_features(plans))
    best = int(means.argmax())
    chosen = best
    for index in sorted(
        range(len(plans)), key=lambda index: (len(partitions[index]), -means[index])
    ):
        if index == best or not _delta_m(posterior, plans[index], plans[best]).is_clear:
            chosen = index
            break
    hard = SharingPlan.hard(tasks, num_units)
    return partitions[chosen], _delta_m(posterior, plans[chosen], hard)


def _delta_m(posterior: SharingPosterior, plan: SharingPlan, reference: SharingPlan) -> Effect:
    """Return the expected Δm of one plan against another."""
    tasks = range(len(plan.tasks))
    changes = [_change(posterior, task, plan, reference) for task in tasks]
    mean = sum(change.mean for change in changes) / len(tasks)
    # The processes of tasks are independent of each other.
    variance = sum(change.deviation**2 for change in changes)
    return Effect(mean, math.sqrt(variance) / len(tasks))


def _networks(groups: Groups, num_units: int) -> SharingPlan:
    """Return the plan in which the tasks of a group share every unit, and no other tasks."""
    return SharingPlan.from_groups([groups] * num_units)


def _partitions(tasks: Sequence[str]) -> Iterator[Groups]:
    """Yield all partitions of some tasks."""
    if not tasks:
        yield ()
        return
    first, rest = tasks[0], tasks[1:]
    for groups in _partitions(rest):
        yield ((first,), *groups)
        for index, group in enumerate(groups):
            yield (*groups[:index], (first, *group), *groups[index + 1 :])
