"""``mtlsearch.compare``: the command's table as a data frame."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import mtlsearch
from mtlsearch.api import Comparison
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.results import leaderboard
from mtlsearch.runs import RunComparison
from tests.cli.program import call
from tests.results.trials import baselines

pytestmark = pytest.mark.xdist_group("python_search")


@pytest.fixture
def other(run: mtlsearch.Run, tmp_path: Path) -> Path:
    """Return a copy of the run that seems to have been trained with another norm."""
    folder = shutil.copytree(run.path, tmp_path / "other")
    file = folder / "run.yaml"
    text = file.read_text(encoding="utf-8")
    assert "clip_norm: 1.0" in text
    file.write_text(text.replace("clip_norm: 1.0", "clip_norm: 2.0"), encoding="utf-8")
    return folder


def test_table_has_the_trials_of_the_command(run: mtlsearch.Run, other: Path) -> None:
    comparison = mtlsearch.compare([run, str(other)])
    table = comparison.table(top=1)
    assert list(table["run"].unique()) == [str(run.path), str(other)]
    assert set(table.loc[table["run"] == str(run.path), "differs"]) == {""}
    assert set(table.loc[table["run"] == str(other), "differs"]) == {"training"}
    complete = run.leaderboard().query("state == 'complete'")
    first = table[table["run"] == str(run.path)]
    assert list(first["trial"]) == list(complete["trial"])
    assert list(first["scene.accuracy"]) == list(complete["scene.accuracy"])
    assert comparison.differences == {str(other): ["train.clip_norm"]}
    printed = call("compare", run.path, other).stdout.splitlines()
    assert printed[-len(comparison.remarks) :] == list(comparison.remarks)
    assert "Δm is not" in comparison.remarks[-1]


def test_shown_table_marks_metrics_that_are_not_counted() -> None:
    frames = {name: leaderboard(baselines(), all_metrics=True) for name in ("a", "b")}
    for name, frame in frames.items():
        frame.attrs["not_counted"] = ["boxes.mAP"] if name == "a" else []
    comparison = Comparison(RunComparison(frames, {"b": ["seed"]}, ["remark"]))
    assert comparison.not_counted == {"a": ["boxes.mAP"], "b": []}
    shown = re.findall(r"<td>(.*?)</td>", comparison._repr_html_())
    assert [cell for cell in shown if "○" in cell] == ["○ 0.3", "○ 0.28"]
    assert comparison.table()["boxes.mAP"].tolist() == [0.3, 0.28, 0.3, 0.28]


def test_figure_is_that_of_the_command(run: mtlsearch.Run, other: Path, tmp_path: Path) -> None:
    comparison = mtlsearch.compare([run, mtlsearch.load(other)])
    assert "<table" in comparison._repr_html_()
    comparison.plot_fronts().savefig(tmp_path / "python.png")
    assert call("compare", run.path, other, "--out", tmp_path / "command.png").returncode == 0
    with (
        Image.open(tmp_path / "python.png") as drawn,
        Image.open(tmp_path / "command.png") as written,
    ):
        assert drawn.size == written.size == (1200, 750)
        assert drawn.tobytes() == written.tobytes()


def test_single_or_missing_runs_are_refused(run: mtlsearch.Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two or more"):
        mtlsearch.compare([run, run.path])
    with pytest.raises(RunError, match="not a run directory"):
        mtlsearch.compare([run, tmp_path / "missing"])
    for single in (run, str(run.path), run.path):
        with pytest.raises(ConfigError, match="a list of two or more runs"):
            mtlsearch.compare(single)  # type: ignore[arg-type]
