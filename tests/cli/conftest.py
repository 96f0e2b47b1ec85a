"""One small search that several test files share."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mtlsearch.config import load_run
from mtlsearch.results import TrialRecord
from mtlsearch.runs import read_verdict
from mtlsearch.search import Verdict
from mtlsearch.study import read_records
from tests.cli.program import call

RUN_FILE = """\
seed: 1
data:
  sources: {kind: scenes, train: 16, val: 8, test: 3, image_size: 32}
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
class SmallSearch:
    """A run file and a search with it.

    Attributes:
        file: the run file.
        run: the run directory with four trials; tests must not change it.
        result: exit code and output of the search.
    """

    file: Path
    run: Path
    result: CompletedProcess[str]

    def copy(self, to: Path) -> Path:
        """Return a copy of the run directory that tests may change."""
        return shutil.copytree(self.run, to / "run")


def records_of(run: Path) -> list[TrialRecord]:
    return read_records(run, load_run(run / "run.yaml").config)


def verdict_in(run: Path) -> Verdict:
    """Return the verdict that the commands print."""
    verdict = read_verdict(run, load_run(run / "run.yaml").config)
    assert verdict is not None
    return verdict


@pytest.fixture(scope="session")
def small_search(tmp_path_factory: pytest.TempPathFactory) -> SmallSearch:
    """Run the search once per worker; its tests are in the xdist group ``small_search``."""
    folder = tmp_path_factory.mktemp("small_search")
    file = folder / "run.yaml"
    file.write_text(RUN_FILE)
    result = call("search", file, "--out", folder / "run")
    assert result.returncode == 0, result.stderr
    return SmallSearch(file, folder / "run", result)
