"""One way through: how many files a trial enters, and how often a run file is handed on."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import mtlsearch
from mtlsearch.config import LoadedRun, RunConfig
from mtlsearch.registry import ResolvedRun
from tests.cli.program import call

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = str(Path(mtlsearch.__file__).parent)
FIRST_PROPOSAL = 2  # trials 0 and 1 are the baselines

MAX_FILES = 60
MAX_HAND_ONS = 25


@dataclass
class Flow:
    """Calls into mtlsearch during one search.

    Attributes:
        files_by_trial: files entered between the ends of two trials, by trial number.
        calls: number of calls per function name.
        hand_ons: calls that take the run file as an argument.
    """

    files_by_trial: dict[int, set[str]] = field(default_factory=lambda: {0: set()})
    calls: Counter[str] = field(default_factory=Counter)
    hand_ons: int = 0

    def record(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE):
            return
        if event == "call":
            self.files_by_trial[max(self.files_by_trial)].add(code.co_filename)
            self.calls[code.co_name] += 1
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            values = [frame.f_locals.get(name) for name in names if name != "self"]
            self.hand_ons += any(
                isinstance(value, LoadedRun | ResolvedRun | RunConfig) for value in values
            )
        elif event == "return" and code.co_name == "trial_finished":
            self.files_by_trial[max(self.files_by_trial) + 1] = set()


@contextmanager
def profiled(flow: Flow) -> Iterator[None]:
    previous = sys.getprofile()
    sys.setprofile(flow.record)
    try:
        yield
    finally:
        sys.setprofile(previous)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    settings = ("data.sources.train=24", "data.sources.val=8", "train.epochs=1", "data.cache=null")
    run = tmp_path_factory.mktemp("flow") / "run"
    overrides = [part for setting in settings for part in ("--set", setting)]
    flow = Flow()
    with profiled(flow):
        process = call(
            *("search", ROOT / "examples" / "scenes.yaml", "--out", run, "--device", "cpu"),
            *("--trials", "4", *overrides),
        )
    assert process.returncode == 0, process.stderr
    return flow


def test_a_trial_enters_few_files(flow: Flow) -> None:
    for number in (FIRST_PROPOSAL, FIRST_PROPOSAL + 1):
        entered = sorted(name[len(PACKAGE) + 1 :] for name in flow.files_by_trial[number])
        assert 0 < len(entered) <= MAX_FILES, entered


def test_the_run_file_is_handed_on_rarely(flow: Flow) -> None:
    assert 0 < flow.hand_ons <= MAX_HAND_ONS


@pytest.mark.parametrize("name", ["resolve", "check_feasible"])
def test_a_search_validates_once(flow: Flow, name: str) -> None:
    assert flow.calls[name] == 1
