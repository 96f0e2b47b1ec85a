"""Results per class of the trials of a run."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mtlsearch.errors import ConfigError
from mtlsearch.results import TrialRecord, leaderboard, per_class_results
from tests.results.trials import results, trial


def with_classes(number: int, **values: float) -> TrialRecord:
    """Return a trial whose task ``boxes`` has results per class."""
    measured = results()
    per_class = {"AP": values, "AP50": {name: value / 2 for name, value in values.items()}}
    measured["boxes"] = replace(measured["boxes"], per_class=per_class)
    return trial(number, measured=measured)


TRIALS = [with_classes(0, cat=0.5, dog=0.0), with_classes(1, cat=0.25, dog=math.nan), trial(2)]


def test_per_class_results_lists_trial_metric_and_class() -> None:
    frame = per_class_results(TRIALS, "boxes")
    assert list(frame.columns) == ["trial", "metric", "class", "value"]
    assert frame["trial"].tolist() == [0] * 4 + [1] * 4
    assert frame["metric"].tolist() == ["AP", "AP", "AP50", "AP50"] * 2
    assert frame["class"].tolist() == ["cat", "dog"] * 4
    assert frame["value"].tolist()[:4] == [0.5, 0.0, 0.25, 0.0]
    assert math.isnan(frame["value"].iloc[5])


def test_unknown_task_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'boxes'") as caught:
        per_class_results(TRIALS, "boxs")
    assert caught.value.allowed == ("boxes", "depth", "scene")


def test_task_without_results_per_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="no trial has results per class") as caught:
        per_class_results(TRIALS, "scene")
    assert caught.value.allowed == ("boxes",)


def test_leaderboard_lists_the_trials_with_a_class_at_0() -> None:
    assert leaderboard(TRIALS).attrs["zero_classes"] == {"boxes": {"dog": [0]}}
