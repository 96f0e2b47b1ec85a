"""Properties of the Gaussian-process surrogate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.search.samplers._gp_surrogate import (
    ADDITIVE_FRACTIONS,
    LENGTH_SCALES,
    KernelParams,
    fit_kernel,
    kernel,
    posterior,
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


def test_posterior_equals_textbook_regression() -> None:
    rng = np.random.default_rng(0)
    observed = sharing_features([PLANS[number] for number in range(0, 40, 4)])[:1]
    candidates = sharing_features(PLANS[:7])[0]
    changes = rng.standard_normal((10, 1))
    params = KernelParams(2.0, 0.5, 0.1)
    ((mean, variance),) = posterior(observed, changes, [candidates], params)
    inverse = np.linalg.inv(kernel(observed[0], observed[0], 2.0, 0.5) + 0.1 * np.eye(10))
    cross = kernel(candidates, observed[0], 2.0, 0.5)
    residuals = changes[:, 0] - changes.mean()
    signal_variance = (residuals @ inverse @ residuals + residuals.var()) / 11
    assert np.allclose(mean, changes.mean() + cross @ inverse @ residuals, atol=1e-5)
    remaining = 1.0 - np.einsum("an,nm,am->a", cross, inverse, cross)
    assert np.allclose(variance, signal_variance * remaining, atol=1e-4)


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_fit_separates_noise_from_signal(noise: float) -> None:
    rng = np.random.default_rng(1)
    chosen = rng.permutation(len(PLANS))[:60]
    observed = sharing_features([PLANS[number] for number in chosen])
    changes = observed.sum(axis=2).T.astype(float)
    params = fit_kernel(observed, changes + noise * rng.standard_normal(changes.shape))
    assert (params.noise_variance >= 0.1) == (noise > 0)


def test_log_improvement_increases_with_the_score() -> None:
    improvement = log_improvement(np.linspace(-40.0, 10.0, 20_001))
    assert np.isfinite(improvement).all()
    assert (np.diff(improvement) > 0).all()
    draws = np.random.default_rng(0).standard_normal(200_000)
    for score in (-1.0, 0.0, 2.0):
        expected = np.maximum(0.0, draws + score).mean()
        assert np.exp(log_improvement(np.array([score])))[0] == pytest.approx(expected, rel=0.02)
