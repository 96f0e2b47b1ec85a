"""A training is logged once per epoch; a logger that fails does not end it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mtlsearch.errors import InfrastructureError, RunError, TrainingError
from mtlsearch.plugin import LoggedEpoch, LoggedTrial, Logger, LogStatus, Settings
from mtlsearch.runs._history import history_columns
from mtlsearch.runs._training_evaluator import ProgressHooks
from mtlsearch.runs._trial_log import TrialLog
from mtlsearch.search import NullProgress
from mtlsearch.training import Checkpointing, TrainingResult
from tests.training.fakes import Network, Points, RecordingHooks, config, guesses, run

TASKS = ("a", "b")


class Recorder(Logger[Settings]):
    """Logger that keeps its calls."""

    name = "recorder"
    summary = "keeps its calls"

    def __init__(self) -> None:
        super().__init__(Settings())
        self.calls: list[Any] = []

    def trial_started(self, trial: LoggedTrial, epochs: Sequence[LoggedEpoch]) -> None:
        self.calls.append((trial.number, [epoch.epoch for epoch in epochs]))

    def epoch_finished(self, epoch: LoggedEpoch) -> None:
        self.calls.append(epoch)

    def trial_finished(self, status: LogStatus) -> None:
        self.calls.append(status)


class Failing(Recorder):
    """Logger that raises an error in the second epoch."""

    name = "failing"

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def epoch_finished(self, epoch: LoggedEpoch) -> None:
        super().epoch_finished(epoch)
        if epoch.epoch == 2:
            raise self.error


def open_log(*loggers: Logger[Any], warn: Callable[[str], None] = pytest.fail) -> TrialLog:
    trial = LoggedTrial(3, Path("/run"), Path("/run/trials/0003"), {"plan": "a+b"}, ("a.accuracy",))
    return TrialLog(RecordingHooks(), {item.name: item for item in loggers}, trial, warn)


def train(log: Any, **changes: Any) -> TrainingResult:
    return run(Network(*TASKS), guesses(*TASKS), Points(), config(epochs=3), hooks=log, **changes)


def test_log_has_losses_metrics_and_learning_rate_of_each_epoch() -> None:
    recorder = Recorder()
    with open_log(recorder) as log:
        result = train(log)
        log.end("complete")
    started, *epochs, status = recorder.calls
    assert (started, status) == ((3, []), "complete")
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    for epoch, record in zip(epochs, result.epochs, strict=True):
        assert set(epoch.values) == {
            *("learning_rate", "a.loss", "b.loss", "a.accuracy", "b.accuracy")
        }
        assert epoch.values["a.loss"] == record.train_losses["a"]
        assert epoch.values["b.accuracy"] == record.metrics["b"]["accuracy"]
    rates = [epoch.values["learning_rate"] for epoch in epochs]
    assert 0.01 >= rates[0] > rates[1] > rates[2] > 0
    assert history_columns(result.epochs)["learning_rate"] == rates
    assert isinstance(log.hooks, RecordingHooks)
    assert len(log.hooks.epochs) == 3


def test_resumed_training_logs_epochs_of_its_checkpoint_first(tmp_path: Path) -> None:
    recorder, path = Recorder(), tmp_path / "checkpoint.pt"
    for stop_after, status in ((2, "paused"), (3, "complete")):
        with open_log(recorder) as log:
            train(log, checkpointing=Checkpointing(stop_after, path))
            log.end(status)  # type: ignore[arg-type]
    kinds = [item.epoch if isinstance(item, LoggedEpoch) else item for item in recorder.calls]
    assert kinds == [(3, []), 1, 2, "paused", (3, [1, 2]), 3, "complete"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(TrainingError("a loss is NaN"), "failed"), (KeyboardInterrupt(), "interrupted")],
    ids=["failed", "interrupted"],
)
def test_log_ends_with_the_status_of_the_error(error: BaseException, status: str) -> None:
    recorder = Recorder()

    def fail_in_log() -> None:
        with open_log(recorder) as log:
            log.on_start(())
            raise error

    with pytest.raises(type(error)):
        fail_in_log()
    assert recorder.calls == [(3, []), status]


def test_error_before_the_training_logs_nothing() -> None:
    recorder = Recorder()
    with pytest.raises(TrainingError), open_log(recorder):
        raise TrainingError("the network cannot be compiled")
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionError("no answer"), "ConnectionError: no answer"),
        (RunError("the server refuses the log"), "the server refuses the log"),
        (SystemExit(3), "SystemExit: 3"),
    ],
    ids=["other", "ours", "exit"],
)
def test_failing_logger_is_named_and_the_training_continues(
    error: BaseException, text: str
) -> None:
    warnings: list[str] = []
    failing, recorder = Failing(error), Recorder()
    with open_log(failing, recorder, warn=warnings.append) as log:
        result = train(log)
        log.end("complete")
    assert len(result.epochs) == 3
    assert len(failing.calls) == 3  # the start and two epochs
    assert len(recorder.calls) == 5
    (warning,) = warnings
    assert "logger 'failing'" in warning
    assert __file__ in warning
    assert "/run/trials/0003" in warning
    assert warning.endswith(text)


def test_progress_of_a_pausing_training_ends_at_the_pause(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    notes: list[str] = []

    class Progress(NullProgress):
        def note(self, text: str) -> None:
            notes.append(text)

        def epoch_finished(self, epoch: int, epochs: int, metrics: object) -> None:
            seen.append((epoch, epochs))

    checkpointing = Checkpointing(2, tmp_path / "checkpoint.pt")
    train(ProgressHooks(Progress(), 2), checkpointing=checkpointing)
    assert seen == [(1, 2), (2, 2)]
    assert notes == []
    checkpointing = Checkpointing(3, tmp_path / "checkpoint.pt")
    train(ProgressHooks(Progress(), 3, "trial 7"), checkpointing=checkpointing)
    assert seen[2:] == [(3, 3)]
    assert notes == ["trial 7 resumes after epoch 2 of 3"]


def test_full_disk_is_not_a_fault_of_the_logger() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/run/history.csv")
    with pytest.raises(InfrastructureError, match="no space"), open_log(Failing(full)) as log:
        train(log)
