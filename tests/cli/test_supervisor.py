"""Supervision of the workers of a cluster: restarts, errors, interrupts, waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mtlsearch.cli import _supervisor
from mtlsearch.cli._console import Console
from mtlsearch.cli._node_process import Kind, Message
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._progress_events import MARK
from mtlsearch.cli._supervisor import Supervisor
from mtlsearch.cli._worker_processes import WorkerFailedError
from mtlsearch.errors import InfrastructureError

OUTCOME = {"num_finished": 4, "reason": ""}
PLACED = Message(Kind.PLACED, "node7, GPU 1")
LOST = Message(Kind.LOST, "its node was lost")


def event(name: str, *arguments: Any) -> Message:
    return Message(Kind.LINE, f"{MARK}{json.dumps([name, *arguments])}\n")


def ended(code: int = 0) -> Message:
    return Message(Kind.ENDED, code=code)


FINISHED = event("trial_finished", 3, "complete", 1.5, 2.0, "")
DONE = [event("outcome", OUTCOME), ended()]
WORKS = [PLACED, event("search_started", 0, 4), FINISHED]
FULL_DISK = [PLACED, event("error", "no space is left on the disk", 75), ended(75)]


@dataclass
class ScriptedLauncher:
    """Launcher whose messages are fixed.

    Attributes:
        script: messages of all workers in their order; an exception is raised in its place.
    """

    script: Sequence[tuple[int, Message] | type[BaseException]]
    resources: str = "1 GPU and 4 CPU cores"
    started: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    num_interrupts: int = 0

    def start(self, index: int) -> None:
        self.started.append(index)

    def receive(self, seconds: float) -> Iterator[tuple[int, Message]]:
        assert seconds > 0
        if self.script:
            first, *self.script = self.script
            if isinstance(first, type):
                raise first
            yield first

    def interrupt(self) -> None:
        self.num_interrupts += 1

    def release(self, index: int) -> None:
        self.released.append(index)


def script(worker: int, messages: Sequence[Message]) -> list[tuple[int, Message]]:
    return [(worker, message) for message in messages]


def supervise(launcher: ScriptedLauncher, count: int = 1) -> dict[str, Any]:
    return Supervisor(launcher, count, ProgressView(Console())).run()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_supervisor, "PAUSES", (0.0, 0.0))


def test_workers_that_end_give_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    messages = [*script(0, WORKS), *script(1, WORKS), *script(0, DONE), *script(1, DONE)]
    launcher = ScriptedLauncher(messages)
    assert supervise(launcher, 2) == OUTCOME
    assert launcher.script == []
    assert launcher.started == [0, 1]
    assert sorted(launcher.released) == [0, 1]
    assert "worker 2 of 2 runs on node7, GPU 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        ([*WORKS, LOST], "its node was lost"),
        ([*WORKS, ended(-9)], "signal 9 ended its process"),
        ([*WORKS, ended(130)], "its process was interrupted"),
        (FULL_DISK, "no space is left on the disk"),
        ([*WORKS, Message(Kind.REFUSED, "not shared")], "not shared"),
    ],
)
def test_a_dead_worker_starts_again(
    death: list[Message], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    launcher = ScriptedLauncher(script(0, [*death, *WORKS, *DONE]))
    assert supervise(launcher) == OUTCOME
    assert launcher.started == [0, 0]
    assert launcher.released == [0, 0]
    expected = f"worker 1 of 1 on node7, GPU 1 starts again, its trial continues: {reason}\n"
    assert expected in capsys.readouterr().err


def test_deaths_without_a_trial_between_are_bounded() -> None:
    launcher = ScriptedLauncher(script(0, [PLACED, LOST] * 9))
    with pytest.raises(InfrastructureError, match=r"all 1 workers ended .* its node was lost"):
        supervise(launcher)
    assert launcher.started == [0, 0, 0]


def test_a_finished_trial_resets_the_count_of_deaths() -> None:
    launcher = ScriptedLauncher(script(0, [*WORKS, LOST] * 9 + WORKS + DONE))
    assert supervise(launcher) == OUTCOME
    assert len(launcher.started) == 10


def test_death_after_an_outcome_starts_a_worker_again() -> None:
    """The other worker had ended, so that it cannot continue the trial."""
    messages = [*script(0, WORKS), *script(1, WORKS + DONE), (0, LOST)]
    launcher = ScriptedLauncher([*messages, *script(0, WORKS + DONE)])
    assert supervise(launcher, 2) == OUTCOME
    assert launcher.started == [0, 1, 0]


def test_workers_that_have_not_begun_end_with_the_search() -> None:
    """Worker 1 waits for a node; worker 2 starts again and imports its libraries."""
    messages = [*script(2, [*WORKS, LOST, PLACED]), *script(0, WORKS + DONE)]
    launcher = ScriptedLauncher(messages)
    assert supervise(launcher, 3) == OUTCOME
    assert sorted(launcher.released) == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("messages", "text", "code"),
    [
        ([PLACED, event("error", "bad key", 2), ended(2)], "bad key", 2),
        ([PLACED, Message(Kind.REFUSED, "not shared")], "not shared", 1),
        ([PLACED, ended(70)], "", 70),
    ],
)
def test_an_error_interrupts_all_workers(messages: list[Message], text: str, code: int) -> None:
    launcher = ScriptedLauncher([*script(1, WORKS[:2]), *script(0, messages), (1, ended(130))])
    with pytest.raises(WorkerFailedError) as caught:
        supervise(launcher, 2)
    assert str(caught.value) == (f"{text}\n  worker:  1, on node7, GPU 1" if text else "")
    assert caught.value.code == code
    assert launcher.num_interrupts == 1
    assert launcher.started == [0, 1]


def test_an_interrupt_waits_for_the_running_workers() -> None:
    messages = [*script(0, WORKS), KeyboardInterrupt, (0, ended(130))]
    launcher = ScriptedLauncher(messages)
    with pytest.raises(KeyboardInterrupt):
        supervise(launcher, 2)
    assert launcher.num_interrupts == 1
    assert launcher.released == [1, 0]  # worker 1 waited for a node
    assert launcher.script == []


def test_a_second_interrupt_waits_for_nothing() -> None:
    messages = [*script(0, WORKS), KeyboardInterrupt, KeyboardInterrupt, (0, ended(130))]
    launcher = ScriptedLauncher(messages)
    with pytest.raises(KeyboardInterrupt):
        supervise(launcher)
    assert launcher.script == [(0, ended(130))]


def test_waiting_for_a_node_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_supervisor, "WAIT_SECONDS", 0.0)
    supervise(ScriptedLauncher(script(1, WORKS + DONE)), 2)
    message = "1 of 2 workers wait for a node with 1 GPU and 4 CPU cores"
    assert capsys.readouterr().err.count(message) == 1


def test_output_of_plugins_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [Message(Kind.LINE, "printed\n"), Message(Kind.ERROR_LINE, "logged\n")]
    supervise(ScriptedLauncher(script(0, [PLACED, *lines, *DONE])))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "printed\nlogged\n" in captured.err
