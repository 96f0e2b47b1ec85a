"""Estimate of what a search writes, before it begins."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from mtlsearch.config import RunConfig, load_run
from mtlsearch.errors import InfrastructureError
from mtlsearch.runs._disk_use import DiskUse, estimate_disk_use
from mtlsearch.study import RunDirectory

RUN_FILE = """\
data: {{sources: {{kind: scenes, train: 4, val: 2, image_size: 32}}, image_size: 32}}
tasks: {{scene: {{kind: classification}}}}
backbone: {{name: test_resnet}}
train: {{epochs: 16}}
search: {{space: tree, trials: 100, keep_weights: {keep}, early_stopping: {stopping}}}
"""
NUM_PARAMETERS = 1_000_000
WEIGHTS = 4_000_000
CHECKPOINT = 3 * WEIGHTS

Usage = namedtuple("Usage", "total used free")


def config(folder: Path, keep: object = 5, stopping: str = "null") -> RunConfig:
    (folder / "run.yaml").write_text(RUN_FILE.format(keep=keep, stopping=stopping))
    return load_run(folder / "run.yaml").config


def estimated(run: RunDirectory, config: RunConfig) -> DiskUse:
    return estimate_disk_use(run, config.search, config.train, NUM_PARAMETERS)


@pytest.mark.parametrize(
    ("keep", "stopping", "most"),
    [
        (5, "null", 8 * WEIGHTS + CHECKPOINT),
        ("all", "null", 100 * WEIGHTS + CHECKPOINT),
        (2, "{rungs: [8, 12]}", 5 * WEIGHTS + 5 * CHECKPOINT),
        ("all", "{rungs: [8]}", 100 * WEIGHTS + 101 * CHECKPOINT),
    ],
)
def test_estimate_is_bounded_by_keep_weights(
    tmp_path: Path, keep: object, stopping: str, most: int
) -> None:
    run = RunDirectory(tmp_path / "new" / "run")
    use = estimated(run, config(tmp_path, keep, stopping))
    assert use.most == most
    assert use.least == 2 * WEIGHTS + CHECKPOINT
    assert use.folder == tmp_path
    assert use.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


def test_files_of_earlier_sessions_do_not_count(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.weights(0).parent.mkdir(parents=True)
    run.weights(0).write_bytes(b"x" * WEIGHTS)
    use = estimated(run, config(tmp_path))
    assert use.least == WEIGHTS + CHECKPOINT
    assert use.most == 7 * WEIGHTS + CHECKPOINT


@pytest.mark.parametrize("free", [10_000_000, 30_000_000, 50_000_000])
def test_small_disk_is_refused_or_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 10**9 - free, free))
    use = estimated(RunDirectory(tmp_path / "run"), config(tmp_path))
    if free < use.least:
        with pytest.raises(InfrastructureError, match="it writes at least 20 MB, and 10 MB are"):
            use.require_least()
    else:
        use.require_least()
    assert len(use.warnings()) == (free < use.most)
    if use.warnings():
        assert "up to 44 MB" in use.warnings()[0]
        assert "search.keep_weights" in use.warnings()[0]
