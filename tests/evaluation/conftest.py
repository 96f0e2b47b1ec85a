"""One small search with a test split that the tests of evaluation share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.program import call

RUN_FILE = """\
seed: 1
data:
  sources: {kind: scenes, train: 48, val: 10, test: 14, image_size: 72}
  image_size: [32, 48]
  augment: {crop: null, flip: 0.5, jitter: 0.1}
  cache: null
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation, channels: 16, stride: 8}
  objects: {kind: detection, channels: 16}
backbone: {name: test_resnet}
train: {epochs: 4, batch_size: 8, learning_rate: 0.01}
search: {space: hard, trials: 2}
"""


@dataclass(frozen=True)
class TrainedRun:
    """A run file and its run directory, which tests must not change."""

    file: Path
    run: Path


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """Run the search once per worker; its tests are in the xdist group ``trained_run``."""
    folder = tmp_path_factory.mktemp("trained_run")
    file = folder / "run.yaml"
    file.write_text(RUN_FILE)
    result = call("search", file, "--out", folder / "run", "--device", "cpu")
    assert result.returncode == 0, result.stderr
    return TrainedRun(file, folder / "run")
