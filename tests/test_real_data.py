"""Example run files on real photographs: a check and a short search."""

from __future__ import annotations

import re
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from mtlsearch.config import load_run
from mtlsearch.results import leaderboard
from mtlsearch.study import read_records
from tests.cli.program import call
from tests.examples.depth_package import SOURCE

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

IMAGES = {"pennfudan": 130, "nyuv2": 795}
SHORT = (
    "data.max_images=24",
    "data.image_size=64",
    "data.augment.crop=null",
    "train.epochs=1",
    "train.batch_size=8",
    "search.trials=2",
)

by_name = pytest.mark.parametrize("name", sorted(IMAGES))


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a plugin folder with the module of the example package."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / SOURCE.name).write_bytes(SOURCE.read_bytes())
    return folder


def start(
    command: str, name: str, root: Path, plugins: Path, *more: str | Path
) -> CompletedProcess[str]:
    file = SOURCE.parents[1] / f"{name}.yaml"
    return call(command, file, "--plugins", plugins, "--set", f"data.root={root}", *more)


@by_name
def test_check_of_photographs_finds_no_errors(name: str, real_data: Path, plugins: Path) -> None:
    result = start("check", name, real_data, plugins)
    assert result.returncode == 0, result.stderr
    warning = "class 'classroom' occurs in 'train' but never in 'val'"
    assert (warning in result.stderr) == (name == "nyuv2")
    last = "No errors, 1 warning." if name == "nyuv2" else "No problems found."
    assert last in result.stderr
    counts = re.findall(r"^(train|val) .*\(images\) +(\d+) of (\d+)$", result.stdout, re.MULTILINE)
    assert len(counts) == 2 * 3  # splits and labels
    assert all(num_labeled == images for _, num_labeled, images in counts)
    assert sum(int(images) for _, _, images in counts) == 3 * IMAGES[name]


@by_name
def test_search_of_photographs_completes(
    name: str, real_data: Path, plugins: Path, tmp_path: Path
) -> None:
    settings = [part for text in SHORT for part in ("--set", text)]
    result = start("search", name, real_data, plugins, "--out", tmp_path / "run", *settings)
    assert result.returncode == 0, result.stderr
    config = load_run(tmp_path / "run" / "run.yaml").config
    frame = leaderboard(read_records(tmp_path / "run", config), all_metrics=True)
    assert sorted(frame["baseline"]) == ["hard", "independent"]
    assert (frame["state"] == "complete").all()
    measured = [column for column in frame.columns if "." in column]
    assert {column.partition(".")[0] for column in measured} == set(config.tasks)
    assert np.isfinite(frame[measured].to_numpy()).all()
