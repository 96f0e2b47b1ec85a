"""Observations that each trial updates equal those of a new history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mtlsearch.search import NullProgress, search
from mtlsearch.search.samplers import (
    Observation,
    ObservationHistory,
    Observations,
    complete_observations,
    select_observations,
    within_limits,
)
from mtlsearch.search.samplers import _observations as observations
from mtlsearch.study import StudyView, TrialStore
from tests.search.curves import space as curve_space
from tests.search.test_second_seeds import Noisy, space_of
from tests.study.quick_worker import QuickTraining


def search_curves(folder: Path, after_each: Callable[[StudyView], None]) -> None:
    """Run a search with early stopping, whose trials pause and are promoted."""
    evaluator = QuickTraining(folder=folder, seconds=0.0)
    store = TrialStore.in_memory()
    search(curve_space(evaluator), evaluator, store, trials=25, seed=0, after_each=after_each)


def search_seeds(_: Path, after_each: Callable[[StudyView], None]) -> None:
    """Run a search with second seeds, which is interrupted once."""
    noisy, store = Noisy(interrupts_at=9), TrialStore.in_memory()
    for _ in range(2):
        try:
            search(
                space_of(),
                noisy.at_seed(0),
                store,
                trials=30,
                seed=0,
                progress=NullProgress(),
                after_each=after_each,
                at_seed=noisy.at_seed,
            )
        except KeyboardInterrupt:
            noisy.interrupts_at = None
    assert store.repeats()


@pytest.mark.parametrize("run", [search_curves, search_seeds])
def test_updated_history_equals_a_new_one(
    tmp_path: Path, run: Callable[[Path, Callable[[StudyView], None]], None]
) -> None:
    history, sizes = ObservationHistory(), set()

    def compare(view: StudyView) -> None:
        updated, expected = history.update(view), ObservationHistory().update(view)
        assert list(updated) == list(expected)
        np.testing.assert_array_equal(updated.columns, expected.columns)
        assert updated.digests == expected.digests
        assert history.update(view) is updated
        sizes.add(len(updated))

    run(tmp_path, compare)
    assert len(sizes) > 10


def select_by_lists(items: Sequence[Observation]) -> list[Observation]:
    """Return what select_observations returns, by sorting."""
    if len(items) <= observations.MAX_OBSERVATIONS:
        return list(items)
    half = observations.MAX_OBSERVATIONS // 2
    ranked = sorted(items[half:], key=lambda item: -(item.value or 0.0))
    best = ranked[: observations.MAX_OBSERVATIONS - half]
    return [*items[:half], *sorted(best, key=lambda item: item.number)]


@pytest.mark.parametrize("count", [0, 5, 6, 7, 40])
def test_selections_equal_those_of_lists(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(observations, "MAX_OBSERVATIONS", 6)
    rng = np.random.default_rng(count)
    (first,) = ObservationHistory().update(one_trial())
    items = [
        Observation(
            first.proposal,
            str(number),
            {"a": float(rng.integers(4))},  # many are equal
            over_limits=bool(rng.integers(2)),
            number=number,
            extra_variances={"a": 1.0} if rng.integers(2) else None,
        )
        for number in range(count)
    ]
    complete = [item for item in items if item.extra_variances is None]
    within = [item for item in complete if not item.over_limits] or complete
    assert list(complete_observations(items)) == complete
    assert list(within_limits(complete_observations(Observations(items)))) == within
    for part in (items, complete, within):
        assert select_observations(part) == select_by_lists(part)


def one_trial() -> StudyView:
    store = TrialStore.in_memory()
    search(space_of(), Noisy().at_seed(0), store, trials=1, seed=0)
    return store.view()
