"""Tests of the rungs of early stopping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.config import EarlyStoppingConfig, SearchConfig


@given(epochs=st.integers(1, 500), reduction_factor=st.integers(2, 20))
def test_auto_rungs_lie_between_epoch_8_and_half(epochs: int, reduction_factor: int) -> None:
    rungs = EarlyStoppingConfig(reduction_factor=reduction_factor).rungs_of(epochs)
    assert list(rungs) == sorted(set(rungs))
    assert all(rung >= 8 or rung >= epochs / 2 for rung in rungs)
    assert all(rung <= (epochs + 1) / 2 for rung in rungs)
    assert bool(rungs) == (epochs >= 6)


@pytest.mark.parametrize(
    ("epochs", "rungs"),
    [(5, ()), (6, (3,)), (8, (4,)), (15, (8,)), (23, (12,)), (24, (8,)), (100, (11, 33))],
)
def test_auto_rungs_divide_by_the_reduction_factor(epochs: int, rungs: tuple[int, ...]) -> None:
    assert EarlyStoppingConfig().rungs_of(epochs) == rungs


def test_explicit_rungs_are_unchanged() -> None:
    assert EarlyStoppingConfig(rungs=(1, 2)).rungs_of(4) == (1, 2)


@given(low=st.floats(1e-6, 1.0), high=st.floats(1e-6, 1.0))
def test_learning_rate_range_must_be_ascending(low: float, high: float) -> None:
    if low < high:
        assert SearchConfig(learning_rate=(low, high)).learning_rate == (low, high)
        return
    with pytest.raises(ValueError, match=r"`search\.learning_rate` must be an ascending range"):
        SearchConfig(learning_rate=(low, high))
