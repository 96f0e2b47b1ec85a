"""A search as a person watches it: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mtlsearch.cli._console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressView:
    """Shows how far a search is; see :class:`mtlsearch.search.SearchProgress`.

    A terminal gets a bar for trials and one for the steps of the trial that runs, with the
    best Δm so far. Anything else gets a line where something ends, and with ``-v`` a line
    an epoch. ``--quiet`` gets nothing.

    Args:
        console: where to say it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = _Bars(console) if console.is_terminal and not console.quiet else None
        self._total = 0
        self._best = ""
        self._stage = ""
        self._plans: dict[int, str] = {}
        self._begun: set[int] = set()
        self._counted: set[int] = set()

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
        """Work outside of trials has come so far."""
        if self._bars:
            self._bars.stage(message, done, total)
        elif message != self._stage:
            self._console.say(f"{message} ...")
        self._stage = message if done < total else ""

    def search_started(self, done: int, total: int) -> None:
        """Of ``total`` trials ``done`` were finished in earlier sittings."""
        self._total = total
        if done >= total:
            self._say(f"trials done before: {done}; asked for in all: {total}")
        elif done:
            self._say(f"going on: {done} of {total} trials are done")
        if self._bars:
            self._bars.trials(done, total)

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """A trial begins."""
        self._plans = {number: what}
        self._begun.add(number)
        if self._bars:
            self._bars.trial(number, steps)
        self._console.detail(f"trial {number}: {what}")

    def step(self, done: int, loss: float) -> None:
        """Training has done so many steps."""
        if self._bars:
            self._bars.step(done, loss)

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """An epoch was evaluated."""
        numbers = "  ".join(
            f"{task}.{name} {value:.4g}"
            for task, values in metrics.items()
            for name, value in values.items()
        )
        self._console.detail(f"  epoch {epoch} of {epochs}  {numbers}")

    def note(self, text: str) -> None:
        """Something of the running trial that a person should know."""
        self._say(f"  note: {text}")

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """A trial that was stopped early goes on."""
        if number not in self._begun:  # it was begun, and counted, in an earlier sitting
            self._counted.add(number)
        self._say(f"trial {number}  goes on to epoch {epochs}  ({reason})")

    def trial_finished(
        self, number: int, state: str, delta_m: float | None, seconds: float, reason: str = ""
    ) -> None:
        """A trial is over."""
        value = "" if delta_m is None else f"  Δm {delta_m:+.2f} %"
        if state == "paused":
            value += " there"
        plan = f"  {self._plans[number]}" if number in self._plans else ""
        reason = f"  ({reason})" if reason else ""
        self._say(f"trial {number}  {state}{value}  {duration(seconds)}{plan}{reason}")
        if self._bars and number not in self._counted:
            self._bars.finished()
        self._counted.add(number)

    def best(self, number: int, delta_m: float) -> None:
        """The best trial so far."""
        best = f"best so far: trial {number}, Δm {delta_m:+.2f} %"
        if best != self._best and not self._bars:
            self._say(best)
        self._best = best
        if self._bars:
            self._bars.best(f"best Δm {delta_m:+.2f} % (trial {number})")

    def _say(self, text: str) -> None:
        if self._bars and not self._console.quiet:
            self._bars.progress.console.print(text, markup=False, highlight=False)
        else:
            self._console.say(text)


class _Bars:
    """The bars on a terminal."""

    def __init__(self, console: Console) -> None:
        from rich import progress

        self.progress: Progress = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[note]}", markup=False),
            console=console.rich(sys.stderr),
            transient=True,
        )
        self._stage: TaskID | None = None
        self._trials: TaskID | None = None
        self._steps: TaskID | None = None

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

    def trial(self, number: int, steps: int) -> None:
        if self._steps is not None:
            self.progress.remove_task(self._steps)
        self._steps = self.progress.add_task(f"trial {number}", total=steps, note="")

    def step(self, done: int, loss: float) -> None:
        if self._steps is not None:
            self.progress.update(self._steps, completed=done, note=f"loss {loss:.4g}")

    def finished(self) -> None:
        if self._trials is not None:
            self.progress.advance(self._trials)

    def best(self, note: str) -> None:
        if self._trials is not None:
            self.progress.update(self._trials, note=note)


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``"12.3 s"``, ``"4 min 05 s"``, ``"2 h 03 min"``."""
    if not math.isfinite(seconds):
        return "unknown time"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
