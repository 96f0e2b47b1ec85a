"""Confirmation: the best trials and the baselines trained on more seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlsearch.config import ConfirmConfig, RunConfig
from mtlsearch.results import (
    ResultsBySeed,
    SeedStatistics,
    TrialRecord,
    deltas,
    finalists,
    seed_statistics,
)
from mtlsearch.runs._distributed import on_all_ranks
from mtlsearch.runs._retrain import read_retrained, retrain, retraining_evaluator, write_retrained
from mtlsearch.runs._session import Session
from mtlsearch.search import SearchProgress
from mtlsearch.study import RunDirectory


def confirm(
    session: Session,
    run: RunDirectory,
    records: Sequence[TrialRecord],
    progress: SearchProgress,
    *,
    is_distributed: bool = False,
) -> None:
    """Train the finalists on the other seeds of the run; skip those that are finished.

    The weights are deleted after each training: the weights of a trial are those of the seed
    of the search.

    Args:
        session: the opened run.
        run: the run directory.
        records: all trials of the run.
        progress: callbacks for steps, epochs and results.
        is_distributed: whether other ranks train along. They wait for every seed, so a seed
            without missing trials is not skipped.
    """
    config = session.config.search.confirm
    if config is None:
        return
    chosen = finalists(records, config.top)
    missing_by_seed = {
        seed: _missing(run.at_seed(seed), chosen) for seed in other_seeds(session.config)
    }
    total = sum(map(len, missing_by_seed.values()))
    done = 0
    for seed, missing in missing_by_seed.items():
        if not missing and not is_distributed:
            continue
        folder = run.at_seed(seed)
        seed_evaluator = retraining_evaluator(session, folder, seed=seed)
        with on_all_ranks(seed_evaluator, is_distributed=is_distributed) as evaluator:
            for record in missing:
                done += 1
                progress.note(f"confirming {done} of {total}: trial {record.number}, seed {seed}")
                retrained = retrain(evaluator, record, progress)
                folder.weights(record.number).unlink(missing_ok=True)
                write_retrained(folder, retrained)
                _report_result(retrained, folder, seed, progress)
    _report_best(records, read_results_by_seed(run), config, progress)


def other_seeds(config: RunConfig) -> tuple[int, ...]:
    """Return the seeds of the confirmation, without the seed of the search."""
    confirm = config.search.confirm
    if confirm is None:
        return ()
    return tuple(config.seed + offset for offset in range(1, confirm.seeds))


def read_results_by_seed(run: RunDirectory) -> ResultsBySeed:
    """Return the records of all trials that were trained on other seeds, by seed."""
    return {
        int(folder.name): read_retrained(RunDirectory(folder))
        for folder in sorted(run.seeds.glob("[0-9]*"))
    }


def read_confirmed(
    out: Path, config: RunConfig, records: Sequence[TrialRecord]
) -> dict[int, SeedStatistics]:
    """Return the statistics over seeds of the confirmed trials.

    A resumed search may not confirm, or may not have confirmed its new finalists yet. The
    statistics are then those of the finalists at the last confirmation that is complete.

    Args:
        out: the run directory.
        config: its run file.
        records: all trials of the run.

    Returns:
        Statistics by trial number; empty without a complete confirmation.
    """
    confirm, results_by_seed = config.search.confirm, read_results_by_seed(RunDirectory(out))
    if confirm is None:
        return seed_statistics(records, results_by_seed, None)
    retrained = {record.number for results in results_by_seed.values() for record in results}
    ends = [end for end, record in enumerate(records, 1) if record.number in retrained]
    num_finalists = len(finalists(records, confirm.top))
    for end in dict.fromkeys([len(records), *reversed(ends)]):
        statistics = seed_statistics(records[:end], results_by_seed, confirm.top)
        # Fewer finalists belong to a confirmation that was interrupted.
        if statistics and len(finalists(records[:end], confirm.top)) == num_finalists:
            return statistics
    return {}


def _missing(folder: RunDirectory, chosen: Sequence[TrialRecord]) -> list[TrialRecord]:
    done = {record.number for record in read_retrained(folder)}
    return [record for record in chosen if record.number not in done]


def _report_result(
    record: TrialRecord, folder: RunDirectory, seed: int, progress: SearchProgress
) -> None:
    delta = deltas(read_retrained(folder)).get(record.number)
    result = record.reason if delta is None else f"Δm {delta:+.2f} %"
    progress.note(f"trial {record.number} on seed {seed}: {record.state}  {result}")


def _report_best(
    records: Sequence[TrialRecord],
    results_by_seed: ResultsBySeed,
    config: ConfirmConfig,
    progress: SearchProgress,
) -> None:
    statistics = seed_statistics(records, results_by_seed, config.top)
    feasible = {record.number for record in records if not record.over_limits}
    ranked = sorted(
        (number for number in statistics if number in feasible),
        key=lambda number: -statistics[number].mean,
    )
    if not ranked:
        progress.note("no trial is confirmed: no other seed has a Δm of every finalist")
        return
    best = statistics[ranked[0]]
    ties = [str(number) for number in ranked if statistics[number].tied_with_best]
    progress.note(
        f"confirmed: trial {ranked[0]}, Δm {best.mean:+.2f} ± {best.stderr:.2f} % "
        f"over {best.num_seeds} seeds" + (f", tied with trial {', '.join(ties)}" if ties else "")
    )
