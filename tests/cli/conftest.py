"""A tiny search that several files of tests look at."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtlsearch.config import load_run
from mtlsearch.results import TrialRecord
from mtlsearch.study import read_records
from tests.cli.inside import Said, call

RUN_FILE = """\
seed: 1
data:
  sources: {kind: scenes, train: 16, val: 8, test: 3, size: 32}
  image_size: 32
  augment: {crop: null, flip: 0.5, jitter: 0.1}
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation}
backbone: {name: test_resnet}
train: {epochs: 1, batch_size: 8, learning_rate: 0.003}
search: {space: tree, trials: 4}
"""


@dataclass(frozen=True)
class Line:
    """A run file and the search that was made from it.

    Attributes:
        file: the run file.
        run: the run directory, of four trials; not to be changed.
        said: what the search said.
    """

    file: Path
    run: Path
    said: Said

    def copy(self, to: Path) -> Path:
        """A run directory of the same trials, to go on with."""
        return shutil.copytree(self.run, to / "run")


def records_of(run: Path) -> list[TrialRecord]:
    return read_records(run, load_run(run / "run.yaml").config)


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """Made once: whoever uses it is in the xdist group ``line``."""
    folder = tmp_path_factory.mktemp("line")
    file = folder / "run.yaml"
    file.write_text(RUN_FILE)
    said = call("search", file, "--out", folder / "run")
    assert said.code == 0, said.err
    return Line(file, folder / "run", said)
