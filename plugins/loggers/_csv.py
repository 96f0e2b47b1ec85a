"""Logger ``csv``."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from mtlsearch.plugin import (
    LoggedEpoch,
    LoggedTrial,
    Logger,
    LogStatus,
    Settings,
    atomic_write,
)


class CsvLogger(Logger[Settings]):
    """Writes ``history.csv`` to the folder of a trial when the trial ends or pauses.

    The page of a run, ``mtlsearch plot RUN curves`` and ``Trial.history()`` read this file. It
    has one row per epoch, numbered from 0.
    """

    name = "csv"
    summary = "history.csv in the folder of each trial, for the curves of the page"

    def trial_started(self, trial: LoggedTrial, epochs: Sequence[LoggedEpoch]) -> None:
        """See :meth:`mtlsearch.plugin.Logger.trial_started`."""
        self._file = trial.folder / "history.csv"
        self._epochs = list(epochs)

    def epoch_finished(self, epoch: LoggedEpoch) -> None:
        """See :meth:`mtlsearch.plugin.Logger.epoch_finished`."""
        self._epochs.append(epoch)

    def trial_finished(self, status: LogStatus) -> None:
        """See :meth:`mtlsearch.plugin.Logger.trial_finished`."""
        if status not in ("complete", "paused"):
            return
        rows = [
            {"epoch": epoch.epoch - 1, "seconds": round(epoch.seconds, 3), **epoch.values}
            for epoch in self._epochs
        ]
        with atomic_write(self._file) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
