"""Tests of the plot of Δm against FLOPs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtlsearch.errors import ConfigError, RunError
from mtlsearch.report import plot
from mtlsearch.report._plot import _figure
from mtlsearch.results import leaderboard, objectives_in
from tests.results.trials import baselines, expectations, results, run, trial


def crowd() -> list:
    """Return forty trials, many with the same FLOPs."""
    generator = np.random.default_rng(0)
    factors = 1 + generator.normal(0, 0.05, (40, 3))
    proposed = [
        trial(
            index + 2,
            measured=results(*(factor * [0.3, 0.2, 0.6])),
            flops=10**9 + index // 4 * 10**8,
        )
        for index, factor in enumerate(factors)
    ]
    return [*baselines(), *proposed]


def test_plot_png_has_the_documented_size(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "front.png"
    plot(leaderboard(run()), path)
    with Image.open(path) as picture:
        assert picture.size == (1200, 750)
        assert len(picture.convert("RGB").getcolors(2**16) or []) > 20
    assert [file.name for file in path.parent.iterdir()] == ["front.png"]


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_plot_writes_svg_and_pdf(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"front{suffix}"
    plot(leaderboard(baselines()), path)
    assert path.read_bytes()[:5] in (b"<?xml", b"%PDF-")


def test_plot_of_cut_leaderboard_names_the_best_of_all(tmp_path: Path) -> None:
    frame = leaderboard(run(), sort="trial", top=1)
    assert not frame["pareto"].any()
    plot(frame, tmp_path / "front.png")
    texts = [text.get_text() for text in _figure(frame, missing=0).axes[0].texts]
    assert "best: trial 6, not drawn" in texts


@pytest.mark.parametrize("is_expected", [True, False])
def test_plot_marks_and_names_the_best_trial(is_expected: bool) -> None:
    frame = leaderboard(run(), expected=expectations() if is_expected else {})
    measured = frame[frame["delta_m"].notna()]
    axes = _figure(measured, missing=0).axes[0]
    (ring,) = (points for points in axes.collections if points.get_label() == "best")
    _, y = np.asarray(ring.get_offsets())[0]
    number = 5 if is_expected else 6
    assert y == measured.set_index("trial").loc[number, "delta_m"]
    texts = [text.get_text() for text in axes.texts]
    assert str(number) in texts
    note = next(text for text in texts if text.startswith(f"best: trial {number} with "))
    assert ("expected +2.10 ± 0.80 %, measured +2.25 %" in note) == is_expected


@pytest.mark.parametrize(
    ("names", "is_drawn"),
    [(["delta_m"], True), (["flops", "delta_m"], True), (["delta_m", "params"], False)],
    ids=str,
)
def test_front_is_a_line_only_over_its_objectives(names: list[str], is_drawn: bool) -> None:
    records = run()
    frame = leaderboard(records, objectives=objectives_in(records, names))
    assert frame["pareto"].any()
    axes = _figure(frame[frame["delta_m"].notna()], missing=0).axes[0]
    labels = [str(line.get_label()) for line in axes.lines]
    assert ("Pareto front" in labels) is is_drawn
    points = [str(points.get_label()) for points in axes.collections]
    assert any("front of Δm, params" in label for label in points) is not is_drawn


def test_plot_labels_do_not_overlap_and_name_the_front() -> None:
    frame = leaderboard(crowd())
    figure = _figure(frame, missing=0)
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].texts if text.get_text()[:1].isdigit()]
    named = {text.get_text().split()[0] for text in labels}
    required = frame.loc[frame["pareto"] | frame["baseline"].notna(), "trial"]
    assert {str(number) for number in required} <= named
    assert {"0 independent", "1 hard"} <= {text.get_text() for text in labels}
    boxes = [text.get_window_extent() for text in labels]
    overlapping = [
        (first, second)
        for index, first in enumerate(boxes)
        for second in boxes[index + 1 :]
        if first.overlaps(second)
    ]
    assert not overlapping
    assert len(labels) > 20


@pytest.mark.parametrize("flops", [5, 10**6, 10**12])
def test_plot_draws_trials_with_equal_flops(tmp_path: Path, flops: int) -> None:
    same = [
        trial(0, baseline="independent", flops=flops),
        *(trial(number, flops=flops) for number in range(1, 4)),
    ]
    plot(leaderboard(same[:1]), tmp_path / "one.png")
    plot(leaderboard(same), tmp_path / "same.png")
    assert (tmp_path / "same.png").stat().st_size > 1000


def test_plot_without_delta_m_or_with_bad_suffix_raises(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no trial has a Δm"):
        plot(leaderboard([trial(0, state="failed", reason="x")]), tmp_path / "x.png")
    with pytest.raises(ConfigError, match="gif"):
        plot(leaderboard(run()), tmp_path / "x.gif")
    assert not list(tmp_path.iterdir())
