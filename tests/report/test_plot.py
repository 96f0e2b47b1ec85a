"""Δm against FLOPs, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtlsearch.errors import ConfigError, RunError
from mtlsearch.report import plot
from mtlsearch.report._plot import _figure
from mtlsearch.results import leaderboard
from tests.results.trials import baselines, results, run, trial


def crowd() -> list:
    """Forty trials, many at one place."""
    generator = np.random.default_rng(0)
    factors = 1 + generator.normal(0, 0.05, (40, 3))
    proposed = [
        trial(at + 2, measured=results(*(factor * [0.3, 0.2, 0.6])), flops=10**9 + at // 4 * 10**8)
        for at, factor in enumerate(factors)
    ]
    return [*baselines(), *proposed]


def test_a_png_of_the_promised_size(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "front.png"
    plot(leaderboard(run()), path)
    with Image.open(path) as picture:
        assert picture.size == (1200, 750)
        assert len(picture.convert("RGB").getcolors(2**16) or []) > 20
    assert [found.name for found in path.parent.iterdir()] == ["front.png"]


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_other_kinds_of_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"front{suffix}"
    plot(leaderboard(baselines()), path)
    assert path.read_bytes()[:5] in (b"<?xml", b"%PDF-")


def test_of_a_cut_leaderboard_the_best_is_still_the_run_s(tmp_path: Path) -> None:
    frame = leaderboard(run(), sort="trial", top=1)
    assert not frame["pareto"].any()
    plot(frame, tmp_path / "front.png")
    said = [text.get_text() for text in _figure(frame, missing=0).axes[0].texts]
    assert "best: trial 6, not drawn" in said


def test_baselines_and_front_are_always_named_and_no_label_hides_another() -> None:
    frame = leaderboard(crowd())
    figure = _figure(frame, missing=0)
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].texts if text.get_text()[:1].isdigit()]
    named = {text.get_text().split()[0] for text in labels}
    must = frame.loc[frame["pareto"] | frame["baseline"].notna(), "trial"]
    assert {str(number) for number in must} <= named
    assert {"0 independent", "1 hard"} <= {text.get_text() for text in labels}
    boxes = [text.get_window_extent() for text in labels]
    overlapping = [
        (one, other)
        for at, one in enumerate(boxes)
        for other in boxes[at + 1 :]
        if one.overlaps(other)
    ]
    assert not overlapping
    assert len(labels) > 20


@pytest.mark.parametrize("flops", [5, 10**6, 10**12])
def test_one_trial_or_many_at_one_place_can_be_drawn(tmp_path: Path, flops: int) -> None:
    same = [
        trial(0, baseline="independent", flops=flops),
        *(trial(at, flops=flops) for at in range(1, 4)),
    ]
    plot(leaderboard(same[:1]), tmp_path / "one.png")
    plot(leaderboard(same), tmp_path / "same.png")
    assert (tmp_path / "same.png").stat().st_size > 1000


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no trial has a Δm"):
        plot(leaderboard([trial(0, state="failed", reason="x")]), tmp_path / "x.png")
    with pytest.raises(ConfigError, match="gif"):
        plot(leaderboard(run()), tmp_path / "x.gif")
    assert not list(tmp_path.iterdir())
