"""Progress display of a search: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mtlsearch.cli._console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


STAGE_INTERVAL = 20.0
"""Seconds between two lines about the remaining time, without a terminal."""


class ProgressView:
    """Progress display; implements :class:`mtlsearch.search.SearchProgress`.

    A terminal shows one bar for the trials, with the best Δm, and one for the steps of each
    running trial. Other outputs get one line per finished trial, and with ``-v`` one line per
    epoch. ``--quiet`` prints nothing.

    Attributes:
        worker: index of the worker that the next calls come from; 0 for the only one.

    Args:
        console: console that prints the lines.
        clock: returns seconds, for the remaining time.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.worker = 0
        self._clock = clock
        self._start = clock()
        self._training: dict[int, _Training] = {}  # by worker
        self._done = self._done_before = self._total = 0
        self._console = console
        self._bars = _Bars(console) if console.is_terminal and not console.quiet else None
        self._best = ""
        self._stage = ""
        self._name = "trial"
        self._stage_start = self._stage_shown = 0.0
        self._plans: dict[int, dict[int, str]] = {}  # of the running trial, by worker
        self._started: set[int] = set()  # in this session, not in an earlier one
        self._counted: set[int] = set()  # in the bar of trials

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.progress.stop()

    def stage(self, message: str, done: int, total: int) -> None:
        """Show the progress of work outside of trials."""
        if self._bars:
            self._bars.stage(message, done, total)
        elif message != self._stage:
            self._console.info(f"{message} ...")
            self._stage_start = self._stage_shown = time.monotonic()
        elif time.monotonic() - self._stage_shown >= STAGE_INTERVAL and 0 < done < total:
            self._stage_shown = time.monotonic()
            remaining = (self._stage_shown - self._stage_start) / done * (total - done)
            self._console.info(f"{message}: {done} of {total}, {duration(remaining)} left")
        self._stage = message if done < total else ""

    def search_started(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` trials were finished in earlier sessions."""
        self._done = self._done_before = done
        self._total, self._start = total, self._clock()
        if done > total:
            self._print(f"{done} trials are finished, {total} requested")
        elif done == total:
            self._print(f"all {total} trials are finished")
        elif done:
            self._print(f"resuming: {done} of {total} trials are finished")
        if self._bars:
            self._bars.trials(done, total)

    def trials_named(self, name: str) -> None:
        """Show the next trainings under another name than ``trial``."""
        self._name = name

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """Show that a trial starts."""
        self._plans[self.worker] = {number: what}
        self._started.add(number)
        self._training[self.worker] = _Training(self._clock())
        if self._bars:
            self._bars.trial(f"{self._name} {number}", steps, self.worker)
        self._console.debug(f"{self._name} {number}: {what}")

    def step(self, done: int, loss: float) -> None:
        """Show the number of training steps and the loss."""
        if self._bars:
            self._bars.step(done, loss, self.worker)

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Show the metrics of an epoch."""
        numbers = "  ".join(
            f"{task}.{name} {value:.4g}"
            for task, values in metrics.items()
            for name, value in values.items()
        )
        self._console.debug(f"  epoch {epoch} of {epochs}  {numbers}")
        now = self._clock()
        training = self._training.setdefault(self.worker, _Training(now))
        training.first = min(training.first, epoch)
        # A line per epoch with the time left, unless epochs are short or bars show it.
        if not self._bars and epoch < epochs and now - training.shown >= STAGE_INTERVAL:
            training.shown = now
            left = duration((now - training.start) / training.trained(epoch) * (epochs - epoch))
            number = next(iter(self._plans.get(self.worker, {})), None)
            what = f"{self._name} {number}"
            self._console.info(f"  {what}: epoch {epoch} of {epochs}, about {left} left")

    def waiting(self, is_waiting: bool) -> None:
        """Show nothing: an outage ends the trial with a message."""

    def note(self, text: str) -> None:
        """Show a note about the running trial."""
        self._print(f"  note: {text}")

    def message(self, text: str) -> None:
        """Show a line that belongs to no trial."""
        self._print(text)

    def warning(self, text: str) -> None:
        """Show a warning, as :meth:`Console.warning` does."""
        if self._bars:
            self._bars.warning(text)
        else:
            self._console.warning(text)

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """Show that a paused trial resumes."""
        if number not in self._started:  # started, and counted, in an earlier session
            self._counted.add(number)
        self._print(f"trial {number}  resumes until epoch {epochs}  ({reason})")

    def trial_finished(
        self,
        number: int,
        state: str,
        delta_m: float | None,
        seconds: float,
        reason: str = "",
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Show the result of a trial, and when the search is expected to end."""
        value = "" if delta_m is None else f"  Δm {delta_m:+.2f} %"
        if state == "paused":
            value += " when paused"
        value += "".join(f"  {name} {metric:.3f}" for name, metric in (metrics or {}).items())
        plans = self._plans.get(self.worker, {})
        plan = f"  {plans[number]}" if number in plans else ""
        reason = f"  ({reason})" if reason else ""
        self._print(f"{self._name} {number}  {state}{value}  {duration(seconds)}{plan}{reason}")
        if number not in self._counted:
            self._done += 1
            if self._bars:
                self._bars.finished()
            elif self._done < self._total:
                seconds = (self._clock() - self._start) / (self._done - self._done_before)
                left = duration(seconds * (self._total - self._done))
                self._print(f"{self._done} of {self._total} trials, about {left} left")
        self._counted.add(number)

    def best(
        self, number: int, delta_m: float, expected: tuple[float, float] | None = None
    ) -> None:
        """Show the best trial of the run so far."""
        if self._name != "trial":
            return
        text = f"Δm {delta_m:+.2f} %"
        if expected is not None:
            text = "expected Δm {:+.2f} ± {:.2f} %".format(*expected) + f", measured {text[3:]}"
        best = f"best so far: trial {number}, {text}"
        if best != self._best and not self._bars:
            self._print(best)
        self._best = best
        if self._bars:
            self._bars.best(f"best: {text} (trial {number})")

    def _print(self, text: str) -> None:
        if self._bars and not self._console.quiet:
            self._bars.progress.console.print(text, markup=False, highlight=False)
        else:
            self._console.info(text)


class _Training:
    """Running training of a worker.

    Attributes:
        start: time at which it started, or resumed.
        shown: time of its last line.
        first: its first epoch in this session, from 1; a resumed one starts later.
    """

    def __init__(self, start: float) -> None:
        self.start = self.shown = start
        self.first: float = math.inf

    def trained(self, epoch: int) -> float:
        """Return the number of epochs that were trained since the start."""
        return epoch - self.first + 1


class _Bars:
    """Bars on a terminal."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self.progress: Progress = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[note]}", markup=False),
            console=console.rich(sys.stderr),
            transient=True,
        )
        self._stage: TaskID | None = None
        self._trials: TaskID | None = None
        self._steps: dict[int, TaskID] = {}

    def stage(self, message: str, done: int, total: int) -> None:
        if self._stage is None:
            self._stage = self.progress.add_task(message, total=total, note="")
        self.progress.update(self._stage, description=message, completed=done, total=total)
        if done >= total:
            self._drop_stage()

    def _drop_stage(self) -> None:
        if self._stage is not None:
            self.progress.remove_task(self._stage)
            self._stage = None

    def trials(self, done: int, total: int) -> None:
        self._drop_stage()
        self._trials = self.progress.add_task("trials", completed=done, total=total, note="")

    def trial(self, name: str, steps: int, worker: int) -> None:
        if (former := self._steps.pop(worker, None)) is not None:
            self.progress.remove_task(former)
        self._steps[worker] = self.progress.add_task(name, total=steps, note="")

    def step(self, done: int, loss: float, worker: int) -> None:
        if worker in self._steps:
            self.progress.update(self._steps[worker], completed=done, note=f"loss {loss:.4g}")

    def finished(self) -> None:
        if self._trials is not None:
            self.progress.advance(self._trials)

    def warning(self, text: str) -> None:
        from rich.text import Text

        line = Text.assemble(("warning:", "yellow"), " ", text)
        self.progress.console.print(line, highlight=False)

    def best(self, note: str) -> None:
        if self._trials is not None:
            self.progress.update(self._trials, note=note)


def duration(seconds: float) -> str:
    """Format seconds: ``"12.3 s"``, ``"4 min 05 s"``, ``"2 h 03 min"``."""
    if not math.isfinite(seconds):
        return "unknown time"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
