"""Log of one training: losses, metrics and learning rate by epoch, through loggers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mtlsearch.errors import MtlsearchError, TrainingError, infrastructure_error_of
from mtlsearch.plugin import LoggedEpoch, LoggedTrial, Logger, LogStatus

if TYPE_CHECKING:
    from mtlsearch.training import EpochRecord, TrainingHooks


def logged_values(record: EpochRecord) -> dict[str, float]:
    """Return learning rate, losses and metrics of an epoch by name, such as ``boxes.mAP``.

    Args:
        record: the epoch.

    Returns:
        Values by name.
    """
    return {
        "learning_rate": record.learning_rate,
        **{f"{task}.loss": loss for task, loss in record.train_losses.items()},
        **{
            f"{task}.{metric}": value
            for task, metrics in record.metrics.items()
            for metric, value in metrics.items()
        },
    }


@dataclass(slots=True)
class TrialLog:
    """Hooks of a training that also log it; a context that ends the log after an error.

    Attributes:
        hooks: further hooks of the training.
        loggers: the loggers by name; empty for no log.
        trial: what is logged.
        warn: called with a sentence if a logger fails; it then logs no more of this training.
    """

    hooks: TrainingHooks
    loggers: Mapping[str, Logger[Any]]
    trial: LoggedTrial
    warn: Callable[[str], None]
    _failed: set[str] = field(default_factory=set)
    _is_open: bool = False

    def __enter__(self) -> TrialLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.end("failed" if isinstance(error, TrainingError) else "interrupted")

    def on_start(self, epochs: Sequence[EpochRecord]) -> None:
        self._is_open = True
        self._call("trial_started", self.trial, [_logged(record) for record in epochs])
        self.hooks.on_start(epochs)

    def on_step(self, num_steps: int, total: int, loss: float) -> None:
        self.hooks.on_step(num_steps, total, loss)

    def on_epoch(self, record: EpochRecord, total: int) -> None:
        self._call("epoch_finished", _logged(record))
        self.hooks.on_epoch(record, total)

    def notify(self, text: str) -> None:
        self.hooks.notify(text)

    def end(self, status: LogStatus) -> None:
        """Close the log, unless it is closed or was never open.

        Args:
            status: how the training ended.

        Raises:
            InfrastructureError: the disk is full or broken.
        """
        if self._is_open:
            self._is_open = False
            self._call("trial_finished", status)

    def _call(self, method: str, *arguments: object) -> None:
        for name, logger in self.loggers.items():
            if name in self._failed:
                continue
            try:
                getattr(logger, method)(*arguments)
            except (Exception, SystemExit) as error:  # a plugin can raise anything
                is_disk = isinstance(error, OSError) and error.errno is not None
                if is_disk and (failure := infrastructure_error_of(error)) is not None:
                    raise failure from error
                self._failed.add(name)
                self.warn(self._failure(name, logger, error))

    def _failure(self, name: str, logger: Logger[Any], error: BaseException) -> str:
        file = getattr(sys.modules.get(type(logger).__module__), "__file__", None)
        text = " ".join(str(error).split())
        cause = text if isinstance(error, MtlsearchError) else f"{type(error).__name__}: {text}"
        return (
            f"logger {name!r}{f' ({file})' if file else ''} failed; its log of "
            f"{self.trial.folder} ends here, the training continues. {cause}"
        )


def _logged(record: EpochRecord) -> LoggedEpoch:
    return LoggedEpoch(record.epoch + 1, logged_values(record), record.seconds)
