"""Logger ``tensorboard``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from mtlsearch.plugin import (
    LoggedEpoch,
    LoggedTrial,
    Logger,
    LogStatus,
    Settings,
    TrainingError,
)


class TensorBoardLogger(Logger[Settings]):
    """Writes event files to the folder of each trial: ``tensorboard --logdir RUN`` shows them.

    Scalars are grouped by task. The parameters of a trial, such as its plan, are
    hyperparameters. When a trial resumes, its event file is written again.

    Args:
        settings: no settings.

    Raises:
        TrainingError: TensorBoard is not installed.
    """

    name = "tensorboard"
    summary = "event files of TensorBoard in the folder of each trial"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if find_spec("tensorboard") is None:
            raise TrainingError(
                "logger 'tensorboard' needs the package tensorboard, which is not installed",
                where="train.log",
                next_step="run `pip install 'mtlsearch[tensorboard]'`, or remove tensorboard",
            )

    def trial_started(self, trial: LoggedTrial, epochs: Sequence[LoggedEpoch]) -> None:
        """See :meth:`mtlsearch.plugin.Logger.trial_started`."""
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        for file in trial.folder.glob("events.out.tfevents.*"):
            file.unlink()
        writer: Any = SummaryWriter  # torch lacks types of its parts
        self._writer = writer(str(trial.folder))
        # The numbers are not used: TensorBoard takes those of the scalars with these tags.
        metrics = {_tag(name): 0.0 for name in trial.metrics}
        experiment, start, self._end = hparams(  # type: ignore[no-untyped-call]
            dict(trial.params), metrics
        )
        for summary in (experiment, start):
            self._writer.file_writer.add_summary(summary)
        self._writer.add_text("plan", str(trial.params["plan"]))
        for epoch in epochs:
            self._add(epoch)
        self._writer.flush()

    def epoch_finished(self, epoch: LoggedEpoch) -> None:
        """See :meth:`mtlsearch.plugin.Logger.epoch_finished`."""
        self._add(epoch)
        self._writer.flush()

    def trial_finished(self, status: LogStatus) -> None:
        """See :meth:`mtlsearch.plugin.Logger.trial_finished`."""
        if status == "complete":
            self._writer.file_writer.add_summary(self._end)
        self._writer.close()

    def _add(self, epoch: LoggedEpoch) -> None:
        for name, value in {**epoch.values, "seconds": epoch.seconds}.items():
            self._writer.add_scalar(_tag(name), value, epoch.epoch)


def _tag(name: str) -> str:
    """Return the tag of a value; TensorBoard groups by the part before a slash."""
    return name.replace(".", "/", 1)
