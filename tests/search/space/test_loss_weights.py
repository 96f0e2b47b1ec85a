"""Loss weights on the simplex, and back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.search.space._loss_weights import SMALLEST, encode_weights, suggest_weights
from mtlsearch.testing import FixedChoices, RandomChoices

TASKS = ("boxes", "depth", "edges", "outline", "scene")


def parts(count: int) -> st.SearchStrategy[dict[str, float]]:
    """Answers for so many tasks."""
    return st.fixed_dictionaries({f"weight_{at}": st.floats(0, 1) for at in TASKS[1:count]})


params = st.integers(1, 5).flatmap(lambda count: st.tuples(st.just(TASKS[:count]), parts(count)))


@settings(max_examples=60, deadline=None)
@given(params)
def test_they_sum_to_the_number_of_tasks_and_none_is_nothing(
    given_: tuple[tuple[str, ...], dict[str, float]],
) -> None:
    tasks, table = given_
    weights = suggest_weights(FixedChoices(table), tasks)
    assert tuple(weights) == tasks
    assert sum(weights.values()) == pytest.approx(len(tasks))
    assert min(weights.values()) >= SMALLEST


@settings(max_examples=60, deadline=None)
@given(params)
def test_encoding_comes_back(given_: tuple[tuple[str, ...], dict[str, float]]) -> None:
    tasks, table = given_
    weights = suggest_weights(FixedChoices(table), tasks)
    encoded = encode_weights(weights, tasks)
    assert encoded is not None
    again = FixedChoices(encoded)
    assert suggest_weights(again, tasks) == pytest.approx(weights, abs=1e-6)
    assert set(again.asked) == set(encoded)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_equal_weights_are_in_it(count: int) -> None:
    tasks = TASKS[:count]
    encoded = encode_weights(dict.fromkeys(tasks, 1.0), tasks)
    assert encoded is not None
    assert suggest_weights(FixedChoices(encoded), tasks) == pytest.approx(dict.fromkeys(tasks, 1.0))


@pytest.mark.parametrize(
    "weights",
    [{"boxes": 1.0, "depth": 2.0}, {"boxes": 2.0, "depth": 0.0}, {"boxes": 2.1, "depth": -0.1}],
)
def test_what_is_not_on_it_is_not_encoded(weights: dict[str, float]) -> None:
    assert encode_weights(weights, ("boxes", "depth")) is None


def test_uniform_answers_are_uniform_on_it() -> None:
    """Each share has the moments of Dirichlet(1, 1, 1); no task is favoured by its name."""
    tasks, draws = TASKS[:3], 3000
    shares = {task: [] for task in tasks}
    for seed in range(draws):
        for task, weight in suggest_weights(RandomChoices(seed), tasks).items():
            shares[task].append((weight - SMALLEST) / (1 - SMALLEST) / len(tasks))
    for values in shares.values():
        mean = sum(values) / draws
        assert mean == pytest.approx(1 / 3, abs=0.02)
        assert sum((at - mean) ** 2 for at in values) / draws == pytest.approx(1 / 18, abs=0.005)
        # A share is below x with probability 1 - (1 - x)^2.
        for low, high in pairwise((0.0, 0.1, 0.3, 0.6, 1.0)):
            expected = (1 - low) ** 2 - (1 - high) ** 2
            assert sum(low <= at < high for at in values) / draws == pytest.approx(
                expected, abs=0.03
            )
