"""Progress of a search: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from mtlsearch.cli._console import Console
from mtlsearch.cli._progress import ProgressView, duration

SESSION = """
from mtlsearch.cli._console import Console
from mtlsearch.cli._progress import ProgressView
with ProgressView(Console()) as view:
    for done in range(3):
        view.stage("reading images", done + 1, 3)
    view.search_started(1, 3)
    view.warning("[odd] data")
    for number in (1, 2):
        view.trial_started(number, "a[b]", 2)
        view.step(1, 0.5)
        view.epoch_finished(1, 1, {"one": {"acc": 0.5}})
        view.step(2, 0.25)
        view.trial_finished(number, "complete", 1.5 * number, 61.0, "")
        view.best(number, 1.5 * number)
"""


class Clock:
    """A clock on which each look takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def show_session(console: Console) -> None:
    with ProgressView(console, Clock()) as view:
        view.stage("reading images", 1, 2)
        view.stage("reading images", 2, 2)
        view.search_started(1, 3)
        view.trial_started(1, "a+b | a b", 2)
        view.step(1, 0.5)
        view.epoch_finished(1, 1, {"one": {"acc": 0.5}})
        view.note("batches come in 2 parts")
        view.warning("every epoch has a single step")
        view.trial_finished(1, "complete", -1.25, 61.0, "", {"one.acc": 0.5})
        view.best(0, 0.0, (0.0, 0.0))
        view.trial_finished(2, "failed", None, 1.0, "loss of one is nan at step 3")
        view.best(0, 0.0, (0.0, 0.0))


def test_progress_without_terminal_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_session(Console())
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "reading images ...",
        "resuming: 1 of 3 trials are finished",
        "  note: batches come in 2 parts",
        "warning: every epoch has a single step",
        "trial 1  complete  Δm -1.25 %  one.acc 0.500  1 min 01 s  a+b | a b",
        "2 of 3 trials, about 3.0 s left",
        "best so far: trial 0, expected Δm +0.00 ± 0.00 %, measured +0.00 %",
        "trial 2  failed  1.0 s  (loss of one is nan at step 3)",
    ]


@pytest.mark.parametrize(
    ("done", "line"),
    [
        (0, ""),
        (1, "resuming: 1 of 2 trials are finished\n"),
        (2, "all 2 trials are finished\n"),
        (4, "4 trials are finished, 2 requested\n"),
    ],
)
def test_start_prints_number_of_finished_trials(
    capsys: pytest.CaptureFixture[str], done: int, line: str
) -> None:
    with ProgressView(Console()) as view:
        view.search_started(done, 2)
    assert capsys.readouterr().err == line


def test_verbose_progress_has_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    show_session(Console(verbose=True))
    err = capsys.readouterr().err
    assert "trial 1: a+b | a b" in err
    assert "epoch 1 of 1  one.acc 0.5" in err


def test_long_epochs_have_the_remaining_time(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ProgressView(Console(), clock) as view:
        view.trial_started(7, "hard", 12)
        clock.now += 28.0
        view.epoch_finished(1, 3, {"one": {"acc": 0.5}})
        view.epoch_finished(2, 3, {"one": {"acc": 0.5}})
    assert capsys.readouterr().err == "  trial 7: epoch 1 of 3, about 58.0 s left\n"


def test_other_trainings_than_trials_have_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressView(Console(verbose=True)) as view:
        view.trials_named("short training")
        view.trial_started(0, "independent", 12)
        view.trial_finished(0, "complete", 0.0, 1.0)
        view.best(0, 0.0)
        view.trials_named("trial")
        view.best(1, 2.0)
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "short training 0: independent"
    assert second.startswith("short training 0  complete")
    assert third.startswith("best so far: trial 1")


def test_quiet_progress_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_session(Console(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_bars() -> None:
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", SESSION], stderr=child, env=environment
    ) as process:
        os.close(child)
        output = _read(parent)
    assert process.returncode == 0
    for text in (
        "warning:",
        " [odd] data",
        "trials",
        "2/3",
        "trial 2",
        "best: Δm +3.00 % (trial 2)",
        "loss 0.25",
        "1 min 01 s",
    ):
        assert text in output


def _read(descriptor: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(descriptor, 4096)
        except OSError:  # the other end is closed, on Linux
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks).decode()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (12.34, "12.3 s"),
        (245, "4 min 05 s"),
        (7380, "2 h 03 min"),
        (float("nan"), "unknown time"),
    ],
)
def test_duration_is_formatted(seconds: float, text: str) -> None:
    assert duration(seconds) == text
