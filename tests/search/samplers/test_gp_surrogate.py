"""Properties of the Gaussian-process surrogate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.search.samplers._gp_surrogate import (
    CONSTANT_VARIANCE,
    GROUP_CORRELATIONS,
    SPREAD,
    UNIT_DISTANCES,
    Array,
    SharingFeatures,
    SharingPosterior,
    TaskParams,
    TrainingRows,
    fit_tasks,
    kernel,
    kernel_diagonal,
    sharing_features,
)
from mtlsearch.search.samplers._sharing_gp import log_improvement

PLANS = list(tree_plans(["a", "b", "c", "d"], 5, first_shared=1))


def test_sharing_features_name_the_group_in_each_unit() -> None:
    plan = SharingPlan.from_splits(["a", "b", "c"], depths=[1, 3], units=4)
    a, b, c = 1, 2, 4
    assert sharing_features([plan]).tolist() == [
        [[b + c, 0, 0, 0]],
        [[a + c, c, c, 0]],
        [[a + b, b, b, 0]],
    ]


@settings(max_examples=20, deadline=None)
@given(
    chosen=st.lists(st.integers(0, len(PLANS) - 1), min_size=2, max_size=12, unique=True),
    group_correlation=st.sampled_from(GROUP_CORRELATIONS),
    unit_distance=st.sampled_from(UNIT_DISTANCES),
)
def test_kernel_is_a_sum_over_units(
    chosen: list[int], group_correlation: float, unit_distance: float
) -> None:
    features = sharing_features([PLANS[number] for number in chosen])[0]
    covariance = kernel(features, features, group_correlation, unit_distance)
    units = np.arange(features.shape[1])
    weights = np.exp(-np.abs(units[:, None] - units) / unit_distance)
    for row, left in enumerate(features):
        for column, right in enumerate(features):
            differing = np.array([[(int(u) ^ int(v)).bit_count() for v in right] for u in left])
            expected = (weights * group_correlation**differing).sum() / (SPREAD * weights.sum())
            assert covariance[row, column] == pytest.approx(expected, rel=1e-5)
    diagonal = kernel_diagonal(features, group_correlation, unit_distance)
    assert np.allclose(covariance.diagonal(), diagonal, rtol=1e-5)
    assert np.linalg.eigvalsh(covariance).min() > -1e-4
    fewer = kernel(features[:1], features, group_correlation, unit_distance)
    assert np.allclose(fewer, covariance[:1])
    assert np.allclose(kernel(features, features[:1], group_correlation, unit_distance), fewer.T)


def rows_of(indices: Sequence[int], changes: Array, min_deviation: float = 0.0) -> TrainingRows:
    features = sharing_features([PLANS[index] for index in indices])
    zeros = np.zeros_like(changes)
    return TrainingRows(features, changes, zeros, np.full(changes.shape[1], min_deviation))


def smooth_changes(indices: Sequence[int]) -> Array:
    """Return changes that follow from the shared units, with a spread of several points."""
    features = sharing_features([PLANS[index] for index in indices])
    return np.asarray(2.0 * np.bitwise_count(features).sum(axis=2).T, dtype=float)


def test_posterior_equals_textbook_regression() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(range(0, 40, 4), rng.standard_normal((10, 4)))
    candidates = sharing_features(PLANS[:7])
    params = [TaskParams(0.7, 2.0, 3.0, 0.4)] * 4
    posterior = SharingPosterior.condition(rows, params)
    total_mean, total_covariance = np.zeros(7), np.zeros((7, 7))
    for task in range(4):
        observed, wanted = rows.features[task], candidates[task]

        def covariance(left: SharingFeatures, right: SharingFeatures) -> Array:
            return 3.0 * (CONSTANT_VARIANCE + kernel(left, right, 0.7, 2.0))

        inverse = np.linalg.inv(covariance(observed, observed) + 0.4 * np.eye(10))
        cross = covariance(wanted, observed)
        mean = cross @ inverse @ rows.changes[:, task]
        remaining = covariance(wanted, wanted) - cross @ inverse @ cross.T
        moments = posterior.moments(task, wanted)
        assert np.allclose(moments[0], mean, atol=1e-4)
        assert np.allclose(moments[1], np.diag(remaining), atol=1e-4)
        difference = posterior.differences(task, wanted, wanted[[3]])
        assert np.allclose(difference[0], mean - mean[3], atol=1e-4)
        expected = np.diag(remaining) + remaining[3, 3] - 2.0 * remaining[3]
        assert np.allclose(difference[1], expected, atol=1e-4)
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
    params = [TaskParams(0.7, 6.0, 4.0, 4.0)] * 4
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


def test_merged_trainings_have_the_same_posterior() -> None:
    rng = np.random.default_rng(0)
    chosen = [0, 10, 20, 10, 30, 10, 40]
    rows = rows_of(chosen, smooth_changes(chosen) + rng.standard_normal((7, 4)))
    rows.extra_variances[3] = 2.0
    rows.changes[4, 1] = np.nan  # missing, not 0
    params = [TaskParams(0.7, 6.0, 4.0, 1.0)] * 4
    plain, merged = (
        SharingPosterior.condition(rows, params, merge=merge) for merge in (False, True)
    )
    features = sharing_features(PLANS[:60])
    assert [len(factor) for factor in plain.factors] == [7, 6, 7, 7]
    assert max(len(factor) for factor in merged.factors) <= 5
    assert np.allclose(plain.mean(features), merged.mean(features), atol=1e-6)
    covariances = [item.covariance(features, features) for item in (plain, merged)]
    assert np.allclose(*covariances, atol=1e-6)


def test_paused_trial_counts_less_than_a_complete_one() -> None:
    chosen = [0, 10, 20, 30]
    complete = rows_of(chosen, smooth_changes(chosen))
    extra = np.zeros_like(complete.changes)
    extra[1] = 50.0
    params = [TaskParams(0.7, 6.0, 4.0, 1.0)] * 4
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
