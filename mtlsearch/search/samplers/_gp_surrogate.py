"""What a plan may be worth, guessed from those that were measured: one Gaussian process a task.

A task meets another only in the units they share, so what a plan does to a task is, nearly,
a matter of how many units it shares with each other task: its *view* of the plan. Tasks see
few different views where there are many plans (at most 1,296 of 7,556 for five tasks over six
units), every trial tells something of every task, and a view that was good in one plan is
good in the next.

A task's relative change is a Gaussian process over its views. The kernel is a mean of two:
one adds up what each other task does (each a smooth function of the depth shared with it),
one lets them interact. Length, mixture and noise are those most probable given what was
measured, the same for all tasks; scale and level are each task's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from mtlsearch.plan import SharingPlan

Array = NDArray[np.float64]
SharingFeatures = NDArray[np.int64]

LENGTHS = (1.0, 2.0, 4.0, 8.0)
ADDITIVE = (0.0, 0.5, 0.9)
NOISES = (1e-3, 1e-2, 1e-1, 0.5, 2.0)


@dataclass(frozen=True, slots=True)
class KernelParams:
    """What changes over views are like.

    Attributes:
        length: shared units over which a change stays alike.
        additive: what part of the variance other tasks cause each for itself.
        noise: variance of a measurement's noise, as part of the signal's.
    """

    length: float
    additive: float
    noise: float

    @property
    def prior(self) -> float:
        """Log probability before anything is measured, up to a constant."""
        usual_length, usual_noise = 2.5, 1e-2
        return -0.5 * (
            math.log(self.length / usual_length) ** 2
            + (math.log(self.noise / usual_noise) / 4.0) ** 2
        )


def sharing_features(plans: Sequence[SharingPlan]) -> SharingFeatures:
    """``[T, N, T - 1]``: how many units each task shares with each of the others in N plans."""
    rows = np.array([plan.rows for plan in plans])
    shared = (rows[:, :, :, None] == rows[:, :, None, :]).sum(axis=1)  # [N, T, T]
    tasks = shared.shape[1]
    return np.stack([np.delete(shared[:, at], at, axis=1) for at in range(tasks)])


def kernel(left: SharingFeatures, right: SharingFeatures, length: float, additive: float) -> Array:
    """Correlation ``[L, R]`` of a task's change between views ``[L, F]`` and ``[R, F]``."""
    lengths = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    # Matrix products and single precision: this is where the time of deciding goes.
    across = left.astype(np.float32) @ right.T.astype(np.float32)
    squared = lengths.astype(np.float32) - np.float32(2.0) * across
    alike = (1.0 - additive) * np.exp(squared * np.float32(-0.5 / length**2))
    if additive > 0.0:
        levels = np.arange(int(max(left.max(initial=0), right.max(initial=0))) + 1)
        one = np.exp(-0.5 * ((levels[:, None] - levels) / length) ** 2)
        smooth = one[left].reshape(len(left), -1)
        exact = np.eye(len(levels))[right].reshape(len(right), -1)
        alike = alike + additive / left.shape[1] * (smooth @ exact.T)
    return np.asarray(alike, dtype=float)


def fit_kernel(seen: SharingFeatures, changes: Array) -> KernelParams:
    """The most probable character.

    Args:
        seen: ``[T, n, T - 1]`` views of the measured plans.
        changes: ``[n, T]`` what was measured, percent.
    """
    usual = prior_variance(changes)
    noises = np.array(NOISES)
    best, chosen = -math.inf, KernelParams(LENGTHS[0], ADDITIVE[0], NOISES[0])
    for length, additive in product(LENGTHS, ADDITIVE):
        evidence = sum(
            log_marginal_likelihood(
                kernel(at, at, length, additive), changes[:, task], usual, noises
            )
            for task, at in enumerate(seen)
        )
        for noise, log_likelihood in zip(NOISES, np.atleast_1d(evidence), strict=True):
            character = KernelParams(length, additive, noise)
            if character.prior + log_likelihood > best:
                best, chosen = character.prior + float(log_likelihood), character
    return chosen


def log_marginal_likelihood(
    correlation: Array, changes: Array, usual: float, noises: Array
) -> Array:
    """Log probability of ``changes`` ``[n]`` under each noise, up to a constant.

    The variance is integrated out, ``usual`` being what is expected of it beforehand.
    """
    powers, directions = np.linalg.eigh(correlation)
    along = (directions.T @ (changes - changes.mean())) ** 2
    spectrum = np.maximum(powers, 0.0)[None, :] + noises[:, None]
    variance = ((along / spectrum).sum(axis=1) + usual) / (len(changes) + 1)
    likelihood = -(len(changes) + 1) * np.log(variance) - np.log(spectrum).sum(axis=1)
    return np.asarray(0.5 * likelihood)


def predict(
    seen: SharingFeatures, changes: Array, asked: Sequence[SharingFeatures], character: KernelParams
) -> list[tuple[Array, Array]]:
    """Mean and variance of each task's change at the views ``asked`` of it, noise left out.

    Args:
        seen: ``[T, n, T - 1]`` views of the measured plans.
        changes: ``[n, T]`` what was measured, percent.
        asked: views ``[A_t, T - 1]`` a task.
        character: what changes are like.
    """
    usual = prior_variance(changes)
    length, additive = character.length, character.additive
    found = []
    for task, (at, wanted) in enumerate(zip(seen, asked, strict=True)):
        correlation = kernel(at, at, length, additive)
        factor = np.linalg.cholesky(correlation + character.noise * np.eye(len(at)))
        level = float(changes[:, task].mean())
        white = solve_triangular(factor, changes[:, task] - level, lower=True, check_finite=False)
        cross = kernel(at, wanted, length, additive)
        half = solve_triangular(factor, cross, lower=True, check_finite=False)
        left = np.maximum(1e-9, 1.0 - np.einsum("na,na->a", half, half))
        variance = (float(white @ white) + usual) / (len(at) + 1)
        found.append((level + white @ half, variance * left))
    return found


def prior_variance(changes: Array) -> float:
    """The variance of a change over all tasks; keeps a task with few values from certainty."""
    return float((changes - changes.mean(axis=0)).var()) + 1e-6
