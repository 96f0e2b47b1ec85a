"""D-optimal choice of plans to train.

The information that trainings give about a task is the log determinant of their covariance under
the prior of the surrogate. The next plan is the one that adds most, summed over tasks: its sharing
features differ most from those of the plans that are trained already.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from mtlsearch.search.samplers import CONSTANT_VARIANCE, SharingFeatures, kernel, kernel_diagonal

PRIOR = (0.7, 4.0)
"""Group correlation and unit distance of the prior by which plans are chosen."""

NOISE_RATIO = 0.5
"""Noise variance of that prior, relative to the signal variance."""


def next_design(
    features: SharingFeatures, trained: Sequence[int], excluded: Collection[int]
) -> int | None:
    """Return the plan that adds most information to those that are trained.

    Args:
        features: ``[T, N, U]`` sharing features of the plans.
        trained: indices of the trained plans, at least one.
        excluded: indices of plans that are not chosen.

    Returns:
        Index of a plan, of equal ones the first; None if all are excluded.
    """
    free = np.setdiff1d(np.arange(features.shape[1]), np.array(sorted(excluded), dtype=int))
    if not len(free):
        return None
    gain = np.zeros(len(free))
    for of_task in features:
        observed = of_task[list(trained)]
        covariance = CONSTANT_VARIANCE + kernel(observed, observed, *PRIOR)
        cross = CONSTANT_VARIANCE + kernel(observed, of_task[free], *PRIOR)
        solved = np.linalg.solve(covariance + NOISE_RATIO * np.eye(len(observed)), cross)
        variance = (
            CONSTANT_VARIANCE
            + kernel_diagonal(of_task[free], *PRIOR)
            - (cross * solved).sum(axis=0)
        )
        gain += np.log(np.maximum(variance, 0.0) + NOISE_RATIO)
    # Rounded, so that the order of the summands does not decide between equal sums.
    return int(free[int(gain.round(9).argmax())])


def design(features: SharingFeatures, trained: Sequence[int], count: int) -> list[int]:
    """Choose several plans, one after another.

    Args:
        features: ``[T, N, U]`` sharing features of the plans.
        trained: indices of plans that are trained anyway, such as the baselines.
        count: number of plans to choose.

    Returns:
        Indices of at most ``count`` further plans.
    """
    chosen: list[int] = []
    while len(chosen) < count:
        indices = [*trained, *chosen]
        index = next_design(features, indices, indices)
        if index is None:
            break
        chosen.append(index)
    return chosen
