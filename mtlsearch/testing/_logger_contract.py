"""Contract of a logger, as tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mtlsearch.plugin import LoggedEpoch, LoggedTrial, Logger

METRICS = ("boxes.mAP", "scene.accuracy")
LoggedValues = Mapping[str, Sequence[tuple[int, float]]]
"""Pairs of epoch, from 1, and value by name, in the order of the log."""


class LoggerContract:
    """Tests that every logger must pass, with trainings that are paused and killed.

    Subclass it in a test module, start the name of the class with ``Test``, set the logger and
    return what a log contains::

        class TestMine(LoggerContract):
            logger = Mine

            def read(self, trial):
                return {"boxes.mAP": [(1, 0.1), (2, 0.2)], ...}

    Attributes:
        logger: class of the logger.
        settings: its settings as in a run file.
    """

    logger: ClassVar[type[Logger[Any]]]
    settings: ClassVar[Mapping[str, object]] = {}

    _run: ClassVar[Path | None] = None

    @pytest.fixture
    def run(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return a run directory, which all tests of the class use."""
        cls = type(self)
        if cls._run is None:
            cls._run = tmp_path_factory.mktemp("run")
        return cls._run

    def make(self) -> Logger[Any]:
        """Return a new logger.

        Returns:
            The logger.
        """
        return self.logger(self.logger.Settings.model_validate(dict(self.settings)))

    def read(self, trial: LoggedTrial) -> LoggedValues:
        """Return all values in the log of a training; override it.

        Args:
            trial: the training.

        Returns:
            Pairs of epoch, from 1, and value by name.
        """
        raise NotImplementedError

    def test_name_and_descriptions_are_set(self) -> None:
        """Check the name, the summary and the description of every setting."""
        assert self.logger.name == self.logger.name.strip().lower() != ""
        assert self.logger.summary
        assert "\n" not in self.logger.summary
        for name, field in self.logger.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    def test_log_contains_each_value_of_each_epoch(self, run: Path) -> None:
        """Log two trainings with one instance, the second one with an undefined metric."""
        logger, trials = self.make(), [make_trial(run, number) for number in (0, 1)]
        for trial in trials:
            logger.trial_started(trial, ())
            for epoch in make_epochs(trial):
                logger.epoch_finished(epoch)
            logger.trial_finished("complete")
        for trial in trials:
            self.check(trial)

    def test_paused_training_continues_its_log(self, run: Path) -> None:
        """Pause after one epoch, then continue with another instance."""
        trial = make_trial(run, 2)
        first, *rest = make_epochs(trial)
        logger = self.make()
        logger.trial_started(trial, ())
        logger.epoch_finished(first)
        logger.trial_finished("paused")
        logger = self.make()
        logger.trial_started(trial, (first,))
        for epoch in rest:
            logger.epoch_finished(epoch)
        logger.trial_finished("complete")
        self.check(trial)

    def test_killed_training_repeats_no_epoch(self, run: Path) -> None:
        """Log two epochs without an end, then other values from the checkpoint after the first."""
        trial = make_trial(run, 3)
        first, second, third = make_epochs(trial)
        lost = {name: value + 0.25 for name, value in second.values.items()}
        logger = self.make()
        logger.trial_started(trial, ())
        for epoch in (first, LoggedEpoch(second.epoch, lost, second.seconds)):
            logger.epoch_finished(epoch)
        logger = self.make()
        logger.trial_started(trial, (first,))
        for epoch in (second, third):
            logger.epoch_finished(epoch)
        logger.trial_finished("complete")
        self.check(trial)

    @pytest.mark.parametrize("status", ["failed", "interrupted"])
    def test_training_can_end_before_its_first_epoch(self, run: Path, status: Any) -> None:
        """End a training without an epoch, then log another one."""
        logger = self.make()
        logger.trial_started(make_trial(run, 4), ())
        logger.trial_finished(status)
        trial = make_trial(run, 5 if status == "failed" else 6)
        logger.trial_started(trial, make_epochs(trial))
        logger.trial_finished("complete")
        self.check(trial)

    def check(self, trial: LoggedTrial) -> None:
        """Compare the log of a training with what was logged.

        Args:
            trial: a training whose epochs are those of :func:`make_epochs`.
        """
        logged = self.read(trial)
        for name in make_epochs(trial)[0].values:
            expected = [(epoch.epoch, epoch.values[name]) for epoch in make_epochs(trial)]
            assert [number for number, _ in logged[name]] == [number for number, _ in expected]
            for (_, value), (_, number) in zip(logged[name], expected, strict=True):
                assert math.isclose(value, number, rel_tol=1e-6) or (
                    math.isnan(value) and math.isnan(number)
                ), name


def make_trial(run: Path, number: int) -> LoggedTrial:
    """Return a training of a run.

    Args:
        run: run directory.
        number: trial number.

    Returns:
        The training; its folder does not exist.
    """
    folder = run / "trials" / f"{number:04d}"
    return LoggedTrial(
        number,
        run,
        folder,
        {"plan": "boxes | scene @2", "learning_rate": 0.003, "seed": 1, "attention": False},
        METRICS,
    )


def make_epochs(trial: LoggedTrial) -> list[LoggedEpoch]:
    """Return the three epochs of a training, whose values differ.

    Args:
        trial: the training.

    Returns:
        The epochs in order; the mAP of the last one is undefined for trial 1.
    """
    epochs = []
    for epoch in (1, 2, 3):
        values = {
            "learning_rate": 0.003 / epoch,
            "boxes.loss": 2.0 / epoch + trial.number,
            "scene.loss": 1.5 / epoch,
            "boxes.mAP": math.nan if epoch == 3 and trial.number == 1 else 0.1 * epoch,
            "scene.accuracy": 0.2 * epoch,
        }
        epochs.append(LoggedEpoch(epoch, values, 1.5))
    return epochs
