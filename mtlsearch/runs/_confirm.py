"""Results of trials that were trained on other seeds, by this version or an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlsearch.results import ResultsBySeed, SeedStatistics, TrialRecord, seed_statistics
from mtlsearch.runs._retrain import read_retrained
from mtlsearch.study import RunDirectory


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
