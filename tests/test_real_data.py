"""The example run files on real photographs: sound, and a short search runs on each."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mtlsearch.config import load_run
from mtlsearch.results import leaderboard
from mtlsearch.study import read_records
from tests.cli.inside import Said, call
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
    """The example package's module in a folder of its own, as ``--plugins`` takes it."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / SOURCE.name).write_bytes(SOURCE.read_bytes())
    return folder


def start(command: str, name: str, root: Path, plugins: Path, *more: str | Path) -> Said:
    file = SOURCE.parents[1] / f"{name}.yaml"
    return call(command, file, "--plugins", plugins, "--set", f"data.root={root}", *more)


@by_name
def test_nothing_is_wrong_with_them(name: str, real_data: Path, plugins: Path) -> None:
    said = start("check", name, real_data, plugins)
    assert said.code == 0, said.err
    assert "nothing is wrong" in said.err
    seen = re.findall(r"^(train|val) .*\(images\) +(\d+) of (\d+)$", said.out, re.MULTILINE)
    assert len(seen) == 2 * 3  # splits and labels
    assert all(labelled == images for _, labelled, images in seen)
    assert sum(int(images) for _, _, images in seen) == 3 * IMAGES[name]


@by_name
def test_a_short_search(name: str, real_data: Path, plugins: Path, tmp_path: Path) -> None:
    settings = [part for text in SHORT for part in ("--set", text)]
    said = start("search", name, real_data, plugins, "--out", tmp_path / "run", *settings)
    assert said.code == 0, said.err
    config = load_run(tmp_path / "run" / "run.yaml").config
    frame = leaderboard(read_records(tmp_path / "run", config), all_metrics=True)
    assert sorted(frame["baseline"]) == ["hard", "independent"]
    assert (frame["state"] == "complete").all()
    measured = [column for column in frame.columns if "." in column]
    assert {column.partition(".")[0] for column in measured} == set(config.tasks)
    assert np.isfinite(frame[measured].to_numpy()).all()
