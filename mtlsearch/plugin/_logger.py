"""Contract of a logger."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Literal

from mtlsearch.plugin._settings import Settings as PluginSettings
from mtlsearch.plugin._settings import SettingsT

LogStatus = Literal["complete", "paused", "failed", "interrupted"]
"""How a training ended. One that is paused or interrupted can resume."""


@dataclass(frozen=True, slots=True)
class LoggedTrial:
    """What a logger gets of a training when it starts or resumes.

    Attributes:
        number: trial number.
        run: run directory, absolute.
        folder: folder of this training in the run directory, such as ``RUN/trials/0003``. No other
            training has it; it may not exist yet.
        params: what was trained: ``plan``, ``backbone``, ``learning_rate``, ``seed`` and other
            values of the trial by name.
        metrics: the names of the values that are validation metrics, such as ``"boxes.mAP"``.
    """

    number: int
    run: Path
    folder: Path
    params: Mapping[str, str | int | float | bool]
    metrics: Sequence[str]


@dataclass(frozen=True, slots=True)
class LoggedEpoch:
    """Losses, metrics and learning rate of one epoch.

    Attributes:
        epoch: number of the epoch, from 1.
        values: ``learning_rate`` (of the heads, in the last step), the training loss of each task,
            such as ``boxes.loss``, and its validation metrics, such as ``boxes.mAP``; NaN where
            undefined.
        seconds: wall time of training and evaluation.
    """

    epoch: int
    values: Mapping[str, float]
    seconds: float


class Logger(ABC, Generic[SettingsT]):
    """Log of trainings: losses, metrics and learning rates by epoch.

    One instance per process logs one training after another, each with one call of
    :meth:`trial_started`, one of :meth:`epoch_finished` per epoch and one of
    :meth:`trial_finished`. The last one is missing if the process is killed.

    A training that resumes starts again, with the epochs that are complete. Epochs after the last
    checkpoint are repeated, maybe with other values. The log must contain each epoch once, with
    its last values, whatever it contained before.

    An error ends the log of this training with a warning, which names the logger. The training
    continues. Only a full or broken disk (:class:`OSError`) interrupts it.

    Attributes:
        name: name in run files (``train.log``), such as ``"csv"``.
        summary: one line for ``mtlsearch list loggers``.
        Settings: pydantic model of the options in a run file.

    Args:
        settings: an instance of :attr:`Settings`.

    Raises:
        TrainingError: a library that the logger needs is not installed.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    @abstractmethod
    def trial_started(self, trial: LoggedTrial, epochs: Sequence[LoggedEpoch]) -> None:
        """Open the log of a training.

        Args:
            trial: the training.
            epochs: the completed epochs of a training that resumes, from the first one; empty for
                one that starts.
        """

    @abstractmethod
    def epoch_finished(self, epoch: LoggedEpoch) -> None:
        """Log an epoch.

        Args:
            epoch: the epoch after the last one.
        """

    def trial_finished(self, status: LogStatus) -> None:
        """Close the log of the training.

        Args:
            status: how it ended.
        """
        return
