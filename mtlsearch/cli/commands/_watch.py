"""``mtlsearch watch``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import RunFolder
from mtlsearch.cli._progress import duration
from mtlsearch.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

    from mtlsearch.config import LoadedRun
    from mtlsearch.results import TrialRecord
    from mtlsearch.search import Verdict
    from mtlsearch.study import StudyView

WAIT = 30.0
"""Seconds for which a search that is starting is waited for."""

INTERVAL = 0.5
"""Seconds between two looks for it."""


def watch(
    ctx: typer.Context,
    run: RunFolder,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Time between two readings.")
    ] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Show the present state and end.")] = False,
) -> None:
    """Follow a search that runs elsewhere: its trials as they start and end.

    Reads the study, of one worker or several, and writes nothing. It waits up to 30 seconds for a
    search that is starting. It ends with the last trial, and with Ctrl-C.
    """
    options = GlobalOptions.of(ctx)
    config = _wait_for_run(run, options, 0.0 if once else WAIT).config

    from mtlsearch.runs import read_verdict
    from mtlsearch.study import read_view

    shown: dict[int, str] = {}
    last = ""
    while True:
        view = read_view(run, config)
        for line in changes(view, shown):
            options.console.print(line)
        verdict = read_verdict(run, config, view)
        epochs = _epochs(run, view)
        if (summary := summarize(view, config.search.trials, verdict, epochs)) != last:
            options.console.print(summary)
            last = summary
        if once or (view.num_finished >= config.search.trials and not view.running):
            return
        time.sleep(every)


def _wait_for_run(run: Path, options: GlobalOptions, seconds: float) -> LoadedRun:
    """Return the run file of a run directory, which a search may create within some seconds."""
    end = time.monotonic() + seconds
    is_announced = False
    while True:
        try:
            return read_run(run, options)
        except RunError:
            if time.monotonic() >= end:
                raise
        if not is_announced:
            options.console.info(f"waiting for a search in {run} ...")
            is_announced = True
        time.sleep(min(INTERVAL, seconds))


def _epochs(run: Path, view: StudyView) -> dict[int, int]:
    """Return the number of recorded epochs of each running trial that logs to ``history.csv``."""
    from mtlsearch.runs import read_history
    from mtlsearch.study import RunDirectory

    paths = {record.number: RunDirectory(run).history(record.number) for record in view.running}
    counts = {number: len(read_history(path).get("epoch", ())) for number, path in paths.items()}
    return {number: count for number, count in counts.items() if count}


def changes(view: StudyView, shown: dict[int, str]) -> Iterator[str]:
    """Yield a line per trial that started or ended.

    Args:
        view: the study.
        shown: state of each trial as of the last call, which is updated.

    Yields:
        The lines, by number of the trial.
    """
    delta_ms = view.delta_m_by_number
    for record in sorted((*view.records, *view.repeats), key=lambda record: record.number):
        if shown.get(record.number) != record.state:
            shown[record.number] = record.state
            yield describe(record, delta_ms)


def describe(record: TrialRecord, delta_ms: Mapping[int, float]) -> str:
    """Return a trial as one line.

    Args:
        record: the trial.
        delta_ms: Δm in percent by number of the trial.

    Returns:
        Number, state, Δm, time, plan, and why it is not complete.
    """
    delta_m = delta_ms.get(record.number)
    parts = [f"trial {record.number}", record.state]
    if delta_m is not None:
        parts.append(f"Δm {delta_m:+.2f} %")
    if record.seconds:
        parts.append(duration(record.seconds))
    parts.append(str(record.candidate.plan))
    if record.repeats is not None:
        parts.append(f"(second seed of trial {record.repeats})")
    if record.reason:
        parts.append(f"({record.reason})")
    return "  ".join(parts)


def summarize(
    view: StudyView,
    trials: int,
    verdict: Verdict | None,
    epochs: Mapping[int, int] = MappingProxyType({}),
) -> str:
    """Return how far a search is, and its best plan.

    Args:
        view: the study.
        trials: number of trials of the search.
        verdict: its verdict; None before it has one.
        epochs: finished epochs of running trials by number, where recorded.

    Returns:
        One line.
    """
    text = f"{view.num_finished} of {trials} trials finished, {len(view.running)} running"
    if epochs:
        counts = (f"trial {number}: {count}" for number, count in sorted(epochs.items()))
        text = f"{text} (epochs of {', '.join(counts)})"
    if verdict is None:
        return text
    return (
        f"{text}; best: trial {verdict.winner}, "
        f"expected Δm {verdict.expected.mean:+.2f} ± {verdict.expected.deviation:.2f} %"
    )
