"""The end of a trial that trains for too long or does not respond."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from mtlsearch.errors import TrainingError
from mtlsearch.search._progress import SearchProgress

EXIT_CODE = 75
"""Exit code of a process that ends itself: the same command continues the search."""

MIN_GRACE = 10.0
"""Seconds after the timeout, at least, in which a training may end itself at its next step."""

GRACE_FACTOR = 0.1
"""Part of the timeout that a training may take longer until its process ends."""


class TrialTimeout(SearchProgress):
    """Progress callbacks that end a trial after a timeout, as a context.

    A callback after the timeout raises an error, so the trial fails at its next step. If no
    callback follows either, because a step hangs, a thread stores the trial as failed and ends the
    process: no other way ends code outside of Python. Time in which the training waits for the
    environment does not count: an outage does not depend on the candidate.

    Args:
        progress: the callbacks of the search.
        timeout: seconds.
        fail: stores the trial as failed, with a reason.
    """

    def __init__(
        self, progress: SearchProgress, timeout: float, fail: Callable[[str], None]
    ) -> None:
        self._progress = progress
        self._timeout = timeout
        self._fail = fail
        self._end = time.monotonic() + timeout
        self._waits_since: float | None = None
        self._timer = self._new_timer()

    def _new_timer(self) -> threading.Timer:
        grace = max(MIN_GRACE, GRACE_FACTOR * self._timeout)
        seconds = max(0.0, self._end - time.monotonic()) + grace
        timer = threading.Timer(seconds, self._end_process)
        timer.daemon = True
        return timer

    def __enter__(self) -> SearchProgress:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """Report the start of a training."""
        self._progress.trial_started(number, what, steps)

    def step(self, done: int, loss: float) -> None:
        """Report a training step; raise an error after the timeout."""
        self._progress.step(done, loss)
        self._check()

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Report an epoch; raise an error after the timeout, unless it is the last one."""
        self._progress.epoch_finished(epoch, epochs, metrics)
        if epoch < epochs:
            self._check()

    def waiting(self, is_waiting: bool) -> None:
        """Stop the time while the training waits for the environment."""
        self._progress.waiting(is_waiting)
        if is_waiting:
            self._timer.cancel()
            self._waits_since = time.monotonic()
        elif self._waits_since is not None:
            self._end += time.monotonic() - self._waits_since
            self._waits_since = None
            self._timer = self._new_timer()
            self._timer.start()

    def note(self, text: str) -> None:
        """Report a remark."""
        self._progress.note(text)

    def warning(self, text: str) -> None:
        """Report what is suspicious."""
        self._progress.warning(text)

    def _check(self) -> None:
        if time.monotonic() > self._end:
            raise TrainingError(
                f"it trained longer than {self._limit}",
                next_step="set `search.trial_timeout` to a larger value, or null for no limit",
            )

    def _end_process(self) -> None:
        try:
            self._fail(f"it did not respond within {self._limit}")
        finally:
            sys.stderr.write(
                f"error: the running trial did not respond within {self._limit}, so this process "
                "ends\n  next:    run the same command to continue with other trials\n"
            )
            sys.stderr.flush()
            os._exit(EXIT_CODE)

    @property
    def _limit(self) -> str:
        return f"`search.trial_timeout`, {self._timeout / 60:.3g} min"
