"""Properties of the Gaussian-process surrogate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.search.samplers._gp_surrogate import (
    ADDITIVE_FRACTIONS,
    CONSTANT_VARIANCE,
    LENGTH_SCALES,
    Array,
    SharingFeatures,
    SharingPosterior,
    TaskParams,
    TrainingRows,
    fit_tasks,
    kernel,
    sharing_features,
)
from mtlsearch.search.samplers._sharing_gp import log_improvement

PLANS = list(tree_plans(["a", "b", "c", "d"], 5, first_shared=1))


def test_sharing_features_count_shared_units() -> None:
    plan = SharingPlan.from_splits(["a", "b", "c"], depths=[1, 3], units=4)
    assert sharing_features([plan]).tolist() == [[[1, 1]], [[1, 3]], [[1, 3]]]


@settings(max_examples=20, deadline=None)
@given(
    chosen=st.lists(st.integers(0, len(PLANS) - 1), min_size=2, max_size=12, unique=True),
    length_scale=st.sampled_from(LENGTH_SCALES),
    additive_fraction=st.sampled_from(ADDITIVE_FRACTIONS),
)
def test_kernel_is_a_correlation(
    chosen: list[int], length_scale: float, additive_fraction: float
) -> None:
    features = sharing_features([PLANS[number] for number in chosen])[0]
    correlation = kernel(features, features, length_scale, additive_fraction)
    assert np.allclose(np.diag(correlation), 1.0, atol=1e-6)
    assert np.allclose(correlation, correlation.T, atol=1e-6)
    assert np.linalg.eigvalsh(correlation).min() > -1e-5


def rows_of(indices: Sequence[int], changes: Array, min_deviation: float = 0.0) -> TrainingRows:
    features = sharing_features([PLANS[index] for index in indices])
    zeros = np.zeros_like(changes)
    return TrainingRows(features, changes, zeros, np.full(changes.shape[1], min_deviation))


def smooth_changes(indices: Sequence[int]) -> Array:
    """Return changes that follow from the shared units, with a spread of several points."""
    features = sharing_features([PLANS[index] for index in indices])
    return np.asarray(2.0 * features.sum(axis=2).T, dtype=float)


def test_posterior_equals_textbook_regression() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(range(0, 40, 4), rng.standard_normal((10, 4)))
    candidates = sharing_features(PLANS[:7])
    params = [TaskParams(2.0, 0.5, 3.0, 0.4)] * 4
    posterior = SharingPosterior.condition(rows, params)
    total_mean, total_covariance = np.zeros(7), np.zeros((7, 7))
    for task in range(4):
        observed, wanted = rows.features[task], candidates[task]

        def covariance(left: SharingFeatures, right: SharingFeatures) -> Array:
            return 3.0 * (CONSTANT_VARIANCE + kernel(left, right, 2.0, 0.5))

        inverse = np.linalg.inv(covariance(observed, observed) + 0.4 * np.eye(10))
        cross = covariance(wanted, observed)
        mean = cross @ inverse @ rows.changes[:, task]
        remaining = covariance(wanted, wanted) - cross @ inverse @ cross.T
        moments = posterior.moments(task, wanted)
        assert np.allclose(moments[0], mean, atol=1e-4)
        assert np.allclose(moments[1], np.diag(remaining), atol=1e-4)
        total_mean, total_covariance = total_mean + mean / 4, total_covariance + remaining / 16
    assert np.allclose(posterior.mean(candidates), total_mean, atol=1e-4)
    assert np.allclose(posterior.covariance(candidates, candidates), total_covariance, atol=1e-4)


@pytest.mark.parametrize("noises", [(0.1, 0.1, 0.1, 8.0), (0.1, 3.0, 0.1, 8.0)])
def test_noise_variance_of_each_task_is_recovered(noises: tuple[float, ...]) -> None:
    """Within a factor of 4: the grid has steps of 3."""
    rng = np.random.default_rng(1)
    chosen = rng.permutation(len(PLANS))[:60].tolist()
    changes = smooth_changes(chosen)
    params = fit_tasks(rows_of(chosen, changes + rng.standard_normal(changes.shape) * noises))
    for noise, of_task in zip(noises, params, strict=True):
        deviation = of_task.noise_variance**0.5
        assert noise / 4 < deviation < 4 * noise + 0.5, (noise, of_task)


def test_noise_is_at_least_the_measured_error() -> None:
    chosen = list(range(0, 60, 3))
    params = fit_tasks(rows_of(chosen, smooth_changes(chosen), min_deviation=1.5))
    assert all(of_task.noise_variance >= 1.5**2 for of_task in params)


def test_second_seed_of_a_plan_reduces_its_variance() -> None:
    chosen = [0, 10, 20, 30]
    params = [TaskParams(4.0, 0.5, 4.0, 4.0)] * 4
    repeated = [*chosen, 10, 10]
    features = sharing_features([PLANS[10]])
    once, thrice = (
        SharingPosterior.condition(rows_of(rows, smooth_changes(rows)), params)
        for rows in (chosen, repeated)
    )
    assert (
        thrice.covariance(features, features)[0, 0]
        < 0.8 * once.covariance(features, features)[0, 0]
    )


def test_paused_trial_counts_less_than_a_complete_one() -> None:
    chosen = [0, 10, 20, 30]
    complete = rows_of(chosen, smooth_changes(chosen))
    extra = np.zeros_like(complete.changes)
    extra[1] = 50.0
    params = [TaskParams(4.0, 0.5, 4.0, 1.0)] * 4
    paused = TrainingRows(complete.features, complete.changes, extra, complete.min_deviations)
    features = sharing_features([PLANS[10]])
    assert (
        SharingPosterior.condition(paused, params).covariance(features, features)[0, 0]
        > SharingPosterior.condition(complete, params).covariance(features, features)[0, 0]
    )
    assert paused.first(9).changes.shape[0] == 3  # hyperparameters are fitted to complete trials


def test_log_improvement_increases_with_the_score() -> None:
    improvement = log_improvement(np.linspace(-40.0, 10.0, 20_001))
    assert np.isfinite(improvement).all()
    assert (np.diff(improvement) > 0).all()
    draws = np.random.default_rng(0).standard_normal(200_000)
    for score in (-1.0, 0.0, 2.0):
        expected = np.maximum(0.0, draws + score).mean()
        assert np.exp(log_improvement(np.array([score])))[0] == pytest.approx(expected, rel=0.02)
