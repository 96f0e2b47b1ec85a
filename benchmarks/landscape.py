"""Synthetic landscapes of sharing plans with planted relations between tasks.

A landscape assigns a relative change to every task and plan. It comes from a model of shared
weights, not from a formula that a sampler fits:

* **Targets.** Each task has a target per unit, a point in four dimensions. At the input the
  targets of all tasks are nearly equal. With depth they move toward one of a few directions,
  then toward one per task, so that pairs of tasks diverge at different depths.
* **Misfit.** The weights of a shared unit are the weighted mean of the targets of its group. A
  task has more weight if its loudness is high, and less if it has later units alone. The misfit
  is the squared distance between target and weights. It depends on the whole group, not on pairs.
* **Path.** Misfits multiply along the path, with more weight on early units. A group larger
  than the capacity of the unit has an additional, quadratic cost.
* **Images.** A task gains from the images of the tasks in its group, with diminishing returns
  and in proportion to the cosine of the targets.
* **Shared optimizer.** The total misfit of the network lowers the skill of every task slightly,
  so that the result of a task does not depend on its own path alone.
* **Metric.** A logistic curve maps skill to a metric. Every plan and task has independent noise,
  as a training seed has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtlsearch.plan import SharingPlan

Array = NDArray[np.float64]
NOISE = 0.5
"""Standard deviation of the change of a task between training seeds, in percent."""


@dataclass(frozen=True)
class Landscape:
    """Values of N plans for T tasks and U units.

    Attributes:
        plans: the plans, ``independent`` first.
        measured: ``[N, T]``, relative change of each task as a trial measures it, in percent.
        true: ``[N]``, mean change over tasks without noise, in percent.
        agreement: ``[U, T, T]``, cosine of the targets of two tasks in a unit.
    """

    plans: tuple[SharingPlan, ...]
    measured: Array
    true: Array
    agreement: Array


def make_landscape(plans: Sequence[SharingPlan], seed: int, *, noise: float = NOISE) -> Landscape:
    """Generate a landscape over plans; each seed has different task relations."""
    tasks, num_units = plans[0].tasks, len(plans[0].rows)
    all_plans = (SharingPlan.independent(tasks, num_units), *plans)
    rng = np.random.default_rng(seed)
    targets = _sample_targets(rng, len(tasks), num_units)
    loudness = rng.uniform(0.5, 2.0, len(tasks))
    images = rng.uniform(0.2, 1.0, len(tasks))
    shares = _shared_units(all_plans)  # [N, U, T, T]
    weights = shares * (loudness * (1.0 - 0.4 * _alone_later(shares)))[:, :, None, :]
    weights /= weights.sum(axis=3, keepdims=True)
    means = np.einsum("nuto,uod->nutd", weights, targets)
    misfit = ((means - targets) ** 2).sum(axis=3)  # [N, U, T]
    products = np.einsum("utd,uod->uto", targets, targets)
    norms = np.sqrt(np.einsum("utt->ut", products))
    agreement = products / norms[:, :, None] / norms[:, None, :]
    others = shares * (1.0 - np.eye(len(tasks)))
    added_images = np.einsum("nuto,uto,o->nut", others, np.maximum(0.0, agreement), images)
    gain = 0.22 * np.log1p(1.5 * added_images).mean(axis=1) / np.sqrt(images)
    capacity = rng.uniform(1.5, 3.5)
    excess = np.maximum(0.0, shares.sum(axis=3) - capacity) ** 2
    depth_weight = np.linspace(0.55, 0.25, num_units)[:, None]
    path_loss = np.log1p(depth_weight * misfit + 0.01 * excess).sum(axis=1)
    total_misfit = 0.03 * misfit.sum(axis=(1, 2), keepdims=True)[:, 0]
    skill = rng.normal(0.3, 0.4, len(tasks)) + gain - path_loss - total_misfit
    metric = 1.0 / (1.0 + np.exp(-skill))
    change = 100.0 * (metric / metric[0] - 1.0)
    error = noise * rng.standard_normal(change.shape)
    error[0] = 0.0
    return Landscape(all_plans, change + error, change.mean(axis=1), agreement)


def _sample_targets(rng: np.random.Generator, num_tasks: int, num_units: int) -> Array:
    """Return the target of each task in each unit, ``[U, T, D]``."""
    num_dimensions, num_kinds = 4, max(2, (num_tasks + 1) // 2)
    directions = rng.standard_normal((num_kinds, num_dimensions))
    kind_direction = directions[rng.integers(num_kinds, size=num_tasks)]
    task_direction = rng.standard_normal((num_tasks, num_dimensions))
    common = rng.standard_normal(num_dimensions)
    depth = np.linspace(0.0, 1.0, num_units)[:, None, None]
    to_kind = 1.0 / (1.0 + np.exp(-8.0 * (depth - rng.uniform(0.2, 0.8, (num_tasks, 1)))))
    to_task = 1.0 / (1.0 + np.exp(-8.0 * (depth - rng.uniform(0.5, 1.1, (num_tasks, 1)))))
    targets = common + 0.5 * to_kind * kind_direction + 0.5 * to_task * task_direction
    return np.asarray(targets / np.linalg.norm(common) * 1.2)


def _shared_units(plans: Sequence[SharingPlan]) -> Array:
    """Return ``[N, U, T, T]``, 1 if two tasks share a unit, else 0."""
    rows = np.array([plan.rows for plan in plans])
    return (rows[:, :, :, None] == rows[:, :, None, :]).astype(float)


def _alone_later(shares: Array) -> Array:
    """Return ``[N, U, T]``, the fraction of the later units that a task does not share."""
    alone = (shares.sum(axis=3) == 1).astype(float)
    num_alone = np.cumsum(alone[:, ::-1], axis=1)[:, ::-1] - alone
    num_later = np.maximum(1, np.arange(alone.shape[1])[::-1])[:, None]
    return np.asarray(num_alone / num_later)
