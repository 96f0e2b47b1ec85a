"""Loss weights on the simplex and their params."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.search.space._loss_weights import MIN_WEIGHT, encode_weights, suggest_weights
from mtlsearch.testing import FixedSuggest, RandomSuggest

TASKS = ("boxes", "depth", "edges", "outline", "scene")


def tables(count: int) -> st.SearchStrategy[dict[str, float]]:
    """Params of a number of tasks."""
    return st.fixed_dictionaries({f"weight_{task}": st.floats(0, 1) for task in TASKS[1:count]})


params = st.integers(1, 5).flatmap(lambda count: st.tuples(st.just(TASKS[:count]), tables(count)))


@settings(max_examples=60, deadline=None)
@given(params)
def test_weights_sum_to_the_number_of_tasks(
    tasks_and_params: tuple[tuple[str, ...], dict[str, float]],
) -> None:
    tasks, table = tasks_and_params
    weights = suggest_weights(FixedSuggest(table), tasks)
    assert tuple(weights) == tasks
    assert sum(weights.values()) == pytest.approx(len(tasks))
    assert min(weights.values()) >= MIN_WEIGHT


@settings(max_examples=60, deadline=None)
@given(params)
def test_encode_inverts_suggest(
    tasks_and_params: tuple[tuple[str, ...], dict[str, float]],
) -> None:
    tasks, table = tasks_and_params
    weights = suggest_weights(FixedSuggest(table), tasks)
    encoded = encode_weights(weights, tasks)
    assert encoded is not None
    again = FixedSuggest(encoded)
    assert suggest_weights(again, tasks) == pytest.approx(weights, abs=1e-6)
    assert set(again.params) == set(encoded)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_equal_weights_have_params(count: int) -> None:
    tasks = TASKS[:count]
    encoded = encode_weights(dict.fromkeys(tasks, 1.0), tasks)
    assert encoded is not None
    assert suggest_weights(FixedSuggest(encoded), tasks) == pytest.approx(dict.fromkeys(tasks, 1.0))


@pytest.mark.parametrize(
    "weights",
    [{"boxes": 1.0, "depth": 2.0}, {"boxes": 2.0, "depth": 0.0}, {"boxes": 2.1, "depth": -0.1}],
)
def test_weights_off_the_simplex_have_no_params(weights: dict[str, float]) -> None:
    assert encode_weights(weights, ("boxes", "depth")) is None


def test_uniform_params_give_uniform_weights() -> None:
    """Each share has the moments of Dirichlet(1, 1, 1); the order of tasks has no influence."""
    tasks, draws = TASKS[:3], 3000
    shares = {task: [] for task in tasks}
    for seed in range(draws):
        for task, weight in suggest_weights(RandomSuggest(seed), tasks).items():
            shares[task].append((weight - MIN_WEIGHT) / (1 - MIN_WEIGHT) / len(tasks))
    for values in shares.values():
        mean = sum(values) / draws
        assert mean == pytest.approx(1 / 3, abs=0.02)
        variance = sum((value - mean) ** 2 for value in values) / draws
        assert variance == pytest.approx(1 / 18, abs=0.005)
        # A share is below x with probability 1 - (1 - x)^2.
        for low, high in pairwise((0.0, 0.1, 0.3, 0.6, 1.0)):
            expected = (1 - low) ** 2 - (1 - high) ** 2
            measured = sum(low <= value < high for value in values) / draws
            assert measured == pytest.approx(expected, abs=0.03)
