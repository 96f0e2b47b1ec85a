"""Settings and price of merging, and the paths that are realigned together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtlsearch.plan import SharingPlan, TaskPath
from mtlsearch.results import TrialRecord
from mtlsearch.runs._session import Session

MergeKey = tuple[str, TaskPath, float | None]
"""A task, its path, and the factor of merging."""

MAX_PATHS = 8
"""Number of paths that are realigned together: those that begin alike run their beginning once."""


@dataclass(frozen=True, slots=True)
class MergeSettings:
    """Settings of merging and realignment.

    Attributes:
        num_images: number of training images for the statistics of BatchNorm.
        num_steps: number of training steps of heads and normalization layers per path.
        factors: factors of the sum of weight changes, of which the best on ``hard`` is used; None
            is the mean of the weights.
    """

    num_images: int = 512
    num_steps: int = 50
    factors: tuple[float | None, ...] = (None, 0.5, 0.7, 1.0)


SETTINGS = (MergeSettings(), MergeSettings(256, 20), MergeSettings(128, 10))
"""Settings from the most to the least expensive."""

MAX_PRICE = 2.0
"""Largest price of merging, in trainings of ``independent``, that needs no request."""


def merge_obstacle(session: Session, independent: TrialRecord, plans: Sequence[SharingPlan]) -> str:
    """Return why plans should not be merged without a request.

    Args:
        session: the opened run.
        independent: the complete ``independent`` trial of the run.
        plans: the plans to estimate.

    Returns:
        The reason; empty if nothing speaks against it.
    """
    backbone = session.config.backbone
    if not backbone.has_weights:
        return "the backbone is not pretrained"
    run = session.evaluator.run
    if not run.fetch(run.weights(independent.number)).is_file():
        return f"the weights of trial {independent.number} do not exist"
    price = merge_price(session, plans, affordable_settings(session, plans))
    if price > MAX_PRICE:
        return f"it costs as much as {price:.1f} trainings of independent"
    return ""


def merge_price(session: Session, plans: Sequence[SharingPlan], settings: MergeSettings) -> float:
    """Return the computation of merging relative to a training of ``independent``.

    A training step counts as three forward passes. Heads are not counted.

    Args:
        session: the opened run.
        plans: the plans to estimate.
        settings: the settings.

    Returns:
        The ratio of the FLOPs.
    """
    train, data, evaluator = session.config.train, session.data, session.evaluator
    flops = [unit.flops for unit in evaluator.units(session.config.backbone.names[0])]
    tasks, num_val = evaluator.tasks, data.size("val")
    images_of_path = settings.num_images + 3 * settings.num_steps * train.batch_size + num_val
    num_steps = train.epochs * data.train_steps(train.batch_size)
    images_of_training = 3 * num_steps * train.batch_size + train.epochs * num_val
    merged = 0
    for task in tasks:
        hard = [(task, ((*tasks,),) * len(flops), factor) for factor in settings.factors]
        paths = [(task, path, None) for path in sorted({plan.path_of(task) for plan in plans})]
        for chosen in (*merge_batches(hard), *merge_batches(paths)):
            runs = plan_of_paths(chosen).runs
            merged += sum(count * cost for count, cost in zip(runs, flops, strict=True))
    return merged * images_of_path / (len(tasks) * sum(flops) * images_of_training)


def affordable_settings(session: Session, plans: Sequence[SharingPlan]) -> MergeSettings:
    """Return the first settings within the largest price, or the last ones."""
    settings: tuple[MergeSettings, ...] = SETTINGS
    backbone = session.config.backbone
    if not backbone.pretrained and backbone.checkpoint_path is None:
        # The weights that the networks of the tasks started from are unknown.
        settings = tuple(replace(item, factors=(None,)) for item in SETTINGS)
    within = (item for item in settings if merge_price(session, plans, item) <= MAX_PRICE)
    return next(within, settings[-1])


def merge_batches(keys: Sequence[MergeKey]) -> list[Sequence[MergeKey]]:
    """Return the paths that are realigned together."""
    return [keys[start : start + MAX_PATHS] for start in range(0, len(keys), MAX_PATHS)]


def path_names(keys: Sequence[MergeKey]) -> list[str]:
    """Return names for the branches of a network, in the order of the paths."""
    return [f"path{index:03d}" for index in range(len(keys))]


def plan_of_paths(keys: Sequence[MergeKey]) -> SharingPlan:
    """Return a tree in which each path is a task, and paths share a unit up to which they agree."""
    names = path_names(keys)
    rows = []
    for unit in range(len(keys[0][1])):
        groups: dict[tuple[TaskPath, float | None], list[str]] = {}
        for name, (_, path, factor) in zip(names, keys, strict=True):
            groups.setdefault((path[: unit + 1], factor), []).append(name)
        rows.append(groups.values())
    skips = {
        unit: [name for name, (_, path, _) in zip(names, keys, strict=True) if not path[unit]]
        for unit in range(len(rows))
    }
    return SharingPlan.from_groups(rows).with_skips(skips)
