"""Synthetic landscapes of sharing plans with planted relations between tasks.

What a plan is worth comes from a small story of how shared weights serve several tasks, and
not from any formula that a sampler fits:

* A task wants something of every unit: a point in a space of a few dimensions. At the input
  all tasks want nearly the same; with depth they drift apart, towards one of a few directions
  and then to one of their own, so that pairs differ in how deep they still agree.
* A unit that a group shares settles between its tasks, nearer to the *loud* ones; a task with
  units of its own further down pulls less. What is left between a task and that point is its
  misfit there. This depends on the whole group, not on pairs.
* Misfits multiply along the path, early ones counting more; a group larger than the unit's
  capacity costs its tasks more than in proportion.
* A task gains from the images that the others of its group add, with diminishing returns, in
  so far as they want the same.
* Whatever the network as a whole cannot settle disturbs every task a little (they share one
  optimizer), so that not even a task's own path decides its result.
* Skill is pressed through a logistic curve to a metric; every plan and task has noise of its
  own, as one training seed has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtlsearch.plan import SharingPlan

Array = NDArray[np.float64]
NOISE = 0.5
"""Standard deviation of a task's change between training seeds, in percent."""


@dataclass(frozen=True)
class Landscape:
    """What plans are worth.

    Attributes:
        plans: the plans, ``independent`` first.
        measured: ``[N, T]`` each task's relative change as a trial would measure it, percent.
        true: ``[N]`` mean change over tasks without the noise, percent.
        agreement: ``[U, T, T]`` cosine of what two tasks want of a unit.
    """

    plans: tuple[SharingPlan, ...]
    measured: Array
    true: Array
    agreement: Array


def planted(plans: Sequence[SharingPlan], seed: int, *, noise: float = NOISE) -> Landscape:
    """One landscape over ``plans``; every seed has other relations."""
    tasks, units = plans[0].tasks, len(plans[0].rows)
    listed = (SharingPlan.independent(tasks, units), *plans)
    rng = np.random.default_rng(seed)
    wants = _wants(rng, len(tasks), units)
    loud = rng.uniform(0.5, 2.0, len(tasks))
    images = rng.uniform(0.2, 1.0, len(tasks))
    together = _together(listed)  # [N, U, T, T]
    pull = together * (loud * (1.0 - 0.4 * _alone_below(together)))[:, :, None, :]
    pull /= pull.sum(axis=3, keepdims=True)
    settled = np.einsum("nuto,uod->nutd", pull, wants)
    misfit = ((settled - wants) ** 2).sum(axis=3)  # [N, U, T]
    agree = np.einsum("utd,uod->uto", wants, wants)
    size = np.sqrt(np.einsum("utt->ut", agree))
    agreement = agree / size[:, :, None] / size[:, None, :]
    agree = np.maximum(0.0, agreement)
    others = together * (1.0 - np.eye(len(tasks)))
    added = np.einsum("nuto,uto,o->nut", others, agree, images)
    gain = 0.22 * np.log1p(1.5 * added).mean(axis=1) / np.sqrt(images)
    capacity = rng.uniform(1.5, 3.5)
    crowd = np.maximum(0.0, together.sum(axis=3) - capacity) ** 2
    harm = np.linspace(0.55, 0.25, units)[:, None]
    path = np.log1p(harm * misfit + 0.01 * crowd).sum(axis=1)
    unsettled = 0.03 * misfit.sum(axis=(1, 2), keepdims=True)[:, 0]
    skill = rng.normal(0.3, 0.4, len(tasks)) + gain - path - unsettled
    metric = 1.0 / (1.0 + np.exp(-skill))
    change = 100.0 * (metric / metric[0] - 1.0)
    wobble = noise * rng.standard_normal(change.shape)
    wobble[0] = 0.0
    return Landscape(listed, change + wobble, change.mean(axis=1), agreement)


def _wants(rng: np.random.Generator, tasks: int, units: int) -> Array:
    """``[U, T, D]``: what each task wants of each unit."""
    dims, kinds = 4, max(2, (tasks + 1) // 2)
    directions = rng.standard_normal((kinds, dims))
    kind = directions[rng.integers(kinds, size=tasks)]
    own = rng.standard_normal((tasks, dims))
    common = rng.standard_normal(dims)
    at = np.linspace(0.0, 1.0, units)[:, None, None]
    towards_kind = 1.0 / (1.0 + np.exp(-8.0 * (at - rng.uniform(0.2, 0.8, (tasks, 1)))))
    towards_own = 1.0 / (1.0 + np.exp(-8.0 * (at - rng.uniform(0.5, 1.1, (tasks, 1)))))
    drift = common + 0.5 * towards_kind * kind + 0.5 * towards_own * own
    return np.asarray(drift / np.linalg.norm(common) * 1.2)


def _together(plans: Sequence[SharingPlan]) -> Array:
    """``[N, U, T, T]``: 1 where two tasks share a unit."""
    rows = np.array([plan.rows for plan in plans])
    return (rows[:, :, :, None] == rows[:, :, None, :]).astype(float)


def _alone_below(together: Array) -> Array:
    """``[N, U, T]``: what part of the units further down a task has for itself."""
    alone = (together.sum(axis=3) == 1).astype(float)
    below = np.cumsum(alone[:, ::-1], axis=1)[:, ::-1] - alone
    left = np.maximum(1, np.arange(alone.shape[1])[::-1])[:, None]
    return np.asarray(below / left)
