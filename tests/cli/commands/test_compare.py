"""``mtlsearch compare``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from mtlsearch.cli.commands._compare import _rows
from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("small_search")


def edited(run: Path, copy: Path, before: str, after: str) -> Path:
    """Return a copy of a run directory with another text in its run file."""
    shutil.copytree(run, copy)
    file = copy / "run.yaml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("before", "after", "mark", "remark"),
    [
        ("seed: ", "seed: 1", "seed", "differences are partly noise"),
        ("clip_norm: 1.0", "clip_norm: 2.0", "training", "Δm is not"),
        ("flip: 0.5", "flip: 0.4", "data", "not comparable"),
    ],
)
def test_runs_that_differ_are_marked(
    small_search: SmallSearch, tmp_path: Path, before: str, after: str, mark: str, remark: str
) -> None:
    other = edited(small_search.run, tmp_path / "other", before, after)
    result = call("compare", small_search.run, other)
    assert result.returncode == 0, result.stderr
    rows = result.stdout.splitlines()
    assert any(row.split()[:2] == [str(other), mark] for row in rows)
    assert not any(row.split()[:2] == [str(small_search.run), mark] for row in rows)
    assert f"{other} differs from {small_search.run}:" in rows
    assert remark in rows[-1]


def test_equal_runs_have_equal_rows_and_no_marks(small_search: SmallSearch, tmp_path: Path) -> None:
    other = edited(small_search.run, tmp_path / "other", "keep_weights: 5", "keep_weights: 4")
    picture = tmp_path / "fronts.png"
    result = call("compare", small_search.run, other, "--top", "1", "--out", picture)
    assert result.returncode == 0, result.stderr
    _, *rows, path = result.stdout.splitlines()
    assert path == str(picture)
    first, second = (
        [row.removeprefix(str(run)).split() for row in rows if row.startswith(f"{run} ")]
        for run in (small_search.run, other)
    )
    assert first == second
    assert len(first) == 3
    with Image.open(picture) as image:
        assert image.size == (1200, 750)


def test_one_run_or_other_tasks_are_refused(small_search: SmallSearch, tmp_path: Path) -> None:
    assert "two or more" in call("compare", small_search.run).stderr
    other = tmp_path / "other"
    shutil.copytree(small_search.run, other)
    file = other / "run.yaml"
    text = file.read_text(encoding="utf-8")
    head, _, tail = text.partition("\ntasks:\n")
    name = tail.split(":")[0].strip()
    rest = tail[tail.index("\nbackbone:") :]
    task = f"\ntasks:\n  unlike:\n    kind: classification\n    label: {name}"
    file.write_text(head + task + rest, encoding="utf-8")
    result = call("compare", small_search.run, other)
    assert result.returncode == 2
    assert "no task in common" in result.stderr
    assert str(other) in result.stderr


def test_metrics_that_a_run_does_not_count_are_marked() -> None:
    row = {"run": "a", "differs": "", "trial": 1, "delta_m": 0.0, "expected_delta_m": None}
    row |= {"a.mAP": 0.017, "b.mIoU": 0.6, "params": 1e6, "flops": 1e9, "plan": "hard"}
    table = pd.DataFrame([row, row | {"run": "b"}])
    first, second = _rows(table, ["a.mAP", "b.mIoU"], {"a": ["a.mAP"], "b": []})
    assert first[5:7] == ["○ 0.017", "0.600"]
    assert second[5:7] == ["0.017", "0.600"]
