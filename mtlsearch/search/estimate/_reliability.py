"""How far the estimate of a task can be relied on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mtlsearch.search.estimate._early_changes import early_and_final
from mtlsearch.search.estimate._estimate import TaskEstimate
from mtlsearch.search.estimate._task_model import TaskModel, rank_correlation
from mtlsearch.search.samplers import CONSTANT_VARIANCE, SharingFeatures
from mtlsearch.study import StudyView

MIN_PAIRS = 4
"""Trainings from which a rank correlation is reported."""

NUM_SAMPLED = 256
"""Plans of which the spread is computed."""


def task_estimate(
    model: TaskModel, features: SharingFeatures, early_to_final: float | None
) -> TaskEstimate:
    """Compare spread and noise of a task, and predict each training from the others."""
    chosen = np.unique(np.linspace(0, len(features) - 1, NUM_SAMPLED).astype(int))
    mean, _ = model.posterior.moments(0, features[chosen])
    covariance = model.posterior.covariance(features[chosen][None], features[chosen][None])
    between = float((mean + model.offsets[chosen]).var())
    within = max(0.0, float(covariance.diagonal().mean() - covariance.mean()))
    spread, noise = between + within, model.posterior.params[0].noise_variance
    ceiling = math.sqrt(spread / (spread + noise)) if spread > 0.0 else 0.0
    expected = ceiling * math.sqrt(between / spread) if spread > 0.0 else 0.0
    return TaskEstimate(
        spread=math.sqrt(spread),
        noise=math.sqrt(noise),
        ceiling=ceiling,
        expected=expected,
        left_out=_left_out_correlation(model),
        early_to_final=early_to_final,
        prior_correlation=model.prior_correlation,
        prior_scale=model.prior_scale,
    )


def _left_out_correlation(model: TaskModel) -> float | None:
    """Return the rank correlation of trainings with their predictions from the others.

    The mean of all trainings is kept. Otherwise, each training would be predicted from a mean on
    the other side of it, and the correlation would be negative without any signal.
    """
    posterior = model.posterior
    factor = posterior.factors[0]
    changes = factor @ posterior.weights[0]
    if len(changes) < MIN_PAIRS + 1:
        return None
    constant = CONSTANT_VARIANCE * posterior.params[0].signal_variance
    inverse = np.linalg.inv(factor @ factor.T - constant)
    mean = float(inverse.sum(axis=0) @ changes) / float(inverse.sum())
    centered = changes - mean
    predicted = centered - (inverse @ centered) / inverse.diagonal()
    offsets = model.row_offsets[~np.isnan(posterior.rows.changes[:, 0])]
    return rank_correlation(predicted + offsets, centered + offsets)


def early_to_final_correlations(
    view: StudyView, tasks: Sequence[str], epoch: int
) -> dict[str, float | None]:
    """Return the rank correlation of changes at an epoch with those at the end, by task."""
    pairs = early_and_final(view, epoch)
    if len(pairs) < MIN_PAIRS:
        return dict.fromkeys(tasks)
    return {
        task: rank_correlation(
            np.array([early[task] for early, _ in pairs]),
            np.array([final[task] for _, final in pairs]),
        )
        for task in tasks
    }
