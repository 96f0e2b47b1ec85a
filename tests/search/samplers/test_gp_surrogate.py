"""The surrogate's laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.search.samplers._gp_sampler import _log_improvement
from mtlsearch.search.samplers._gp_surrogate import (
    ADDITIVE,
    LENGTHS,
    KernelParams,
    fit_kernel,
    kernel,
    predict,
    sharing_features,
)

PLANS = list(tree_plans(["a", "b", "c", "d"], 5, first_shared=1))


def test_a_view_is_what_a_task_shares() -> None:
    plan = SharingPlan.from_splits(["a", "b", "c"], depths=[1, 3], units=4)
    assert sharing_features([plan]).tolist() == [[[1, 1]], [[1, 3]], [[1, 3]]]


@settings(max_examples=20, deadline=None)
@given(
    chosen=st.lists(st.integers(0, len(PLANS) - 1), min_size=2, max_size=12, unique=True),
    length=st.sampled_from(LENGTHS),
    additive=st.sampled_from(ADDITIVE),
)
def test_the_kernel_is_a_correlation(chosen: list[int], length: float, additive: float) -> None:
    at = sharing_features([PLANS[number] for number in chosen])[0]
    found = kernel(at, at, length, additive)
    assert np.allclose(np.diag(found), 1.0, atol=1e-6)
    assert np.allclose(found, found.T, atol=1e-6)
    assert np.linalg.eigvalsh(found).min() > -1e-5


def test_it_agrees_with_textbook_regression() -> None:
    rng = np.random.default_rng(0)
    seen = sharing_features([PLANS[at] for at in range(0, 40, 4)])[:1]
    asked = sharing_features(PLANS[:7])[0]
    changes = rng.standard_normal((10, 1))
    character = KernelParams(2.0, 0.5, 0.1)
    ((mean, variance),) = predict(seen, changes, [asked], character)
    inverse = np.linalg.inv(kernel(seen[0], seen[0], 2.0, 0.5) + 0.1 * np.eye(10))
    cross = kernel(asked, seen[0], 2.0, 0.5)
    centred = changes[:, 0] - changes.mean()
    scale = (centred @ inverse @ centred + centred.var()) / 11
    assert np.allclose(mean, changes.mean() + cross @ inverse @ centred, atol=1e-5)
    left = 1.0 - np.einsum("an,nm,am->a", cross, inverse, cross)
    assert np.allclose(variance, scale * left, atol=1e-4)


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_noise_is_told_from_signal(noise: float) -> None:
    rng = np.random.default_rng(1)
    chosen = rng.permutation(len(PLANS))[:60]
    seen = sharing_features([PLANS[at] for at in chosen])
    changes = seen.sum(axis=2).T.astype(float)
    character = fit_kernel(seen, changes + noise * rng.standard_normal(changes.shape))
    assert (character.noise >= 0.1) == (noise > 0)


def test_expected_improvement_rises_with_the_score_without_a_step() -> None:
    score = np.linspace(-40.0, 10.0, 20_001)
    found = _log_improvement(score)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()
    draws = np.random.default_rng(0).standard_normal(200_000)
    for at in (-1.0, 0.0, 2.0):
        expected = np.maximum(0.0, draws + at).mean()
        assert np.exp(_log_improvement(np.array([at])))[0] == pytest.approx(expected, rel=0.02)
