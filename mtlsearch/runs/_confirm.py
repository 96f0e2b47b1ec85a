"""Verdict and leaderboard of a run, and trials that an earlier version trained on other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.config import RunConfig
from mtlsearch.results import (
    ResultsBySeed,
    SeedStatistics,
    TrialRecord,
    leaderboard,
    objectives_in,
    seed_statistics,
)
from mtlsearch.runs._retrain import read_retrained
from mtlsearch.search import Verdict, effect_sentences, verdict_of
from mtlsearch.study import RunDirectory, StudyView, read_view

if TYPE_CHECKING:
    import pandas as pd


def read_results_by_seed(run: RunDirectory) -> ResultsBySeed:
    """Return the trials that an earlier version trained on other seeds, by seed.

    Args:
        run: run directory.

    Returns:
        Records by seed; empty for a search whose study contains its second seeds.
    """
    return {
        int(folder.name): read_retrained(RunDirectory(folder))
        for folder in sorted(run.seeds.glob("[0-9]*"))
        if any(folder.glob("trials/*/record.json"))
    }


def read_confirmed(out: Path, records: Sequence[TrialRecord]) -> dict[int, SeedStatistics]:
    """Return the statistics over seeds of the trials that an earlier version confirmed.

    Args:
        out: run directory.
        records: all trials of the run.

    Returns:
        Statistics by trial number; empty without such trials.
    """
    return seed_statistics(records, read_results_by_seed(RunDirectory(out)), None)


def read_verdict(out: Path, config: RunConfig, view: StudyView | None = None) -> Verdict | None:
    """Return the verdict of a run, the same one for every command, with effects of tasks.

    Args:
        out: run directory.
        config: run file of the run.
        view: its study; None to read it.

    Returns:
        The verdict; None if its trials allow none, or were confirmed by an earlier version: then
        the mean over seeds decides.
    """
    view = read_view(out, config) if view is None else view
    verdict = None if read_confirmed(out, view.records) else verdict_of(view)
    if verdict is None:
        return None
    return replace(verdict, sentences=(*verdict.sentences, *effect_sentences(view)))


def rank_trials(
    out: Path,
    config: RunConfig,
    view: StudyView,
    verdict: Verdict | None,
    *,
    sort: str | None = None,
    top: int | None = None,
    all_metrics: bool = False,
    with_errors: bool = False,
) -> pd.DataFrame:
    """Return the leaderboard of a run, the same one for every command.

    Args:
        out: run directory.
        config: run file of the run.
        view: its study.
        verdict: its verdict, whose expected Δm orders the rows; None without one.
        sort: column to sort by; None for the expected Δm.
        top: number of rows; None for all.
        all_metrics: whether all metrics are columns, not only the primary ones.
        with_errors: whether standard errors are columns.

    Returns:
        The leaderboard of :func:`mtlsearch.results.leaderboard`.

    Raises:
        ConfigError: the column to sort by does not exist, or ``top`` is below 1.
    """
    return leaderboard(
        view.networks,
        objectives=objectives_in(view.records, config.search.objectives),
        sort=sort,
        top=top,
        all_metrics=all_metrics,
        with_errors=with_errors,
        confirmed=read_confirmed(out, view.records),
        expected={} if verdict is None else verdict.expected_by_number,
    )
