"""The best trials trained again on other seeds, once the trials are spent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from mtlsearch.config import ConfirmConfig, RunConfig
from mtlsearch.results import (
    ResultsBySeed,
    SeedStatistics,
    TrialRecord,
    confirmed,
    deltas,
    finalists,
)
from mtlsearch.runs._retrain import read_retrained, retrain, retraining_evaluator, write_retrained
from mtlsearch.runs._session import Session
from mtlsearch.runs._training_evaluator import TrainingEvaluator
from mtlsearch.search import Evaluator, SearchProgress
from mtlsearch.study import RunDirectory

Team = Callable[[TrainingEvaluator], AbstractContextManager[Evaluator]]
"""Gives what measures with all processes that train together."""


def confirm(
    session: Session,
    run: RunDirectory,
    records: Sequence[TrialRecord],
    progress: SearchProgress,
    *,
    together: Team,
    alone: bool,
) -> None:
    """Train the finalists on the run's other seeds; what was done before is not done again.

    Weights of these trainings are not kept: those of the search's own seed are the trial's.

    Args:
        session: the run.
        run: its directory.
        records: its trials.
        progress: watches.
        together: the processes that train each network.
        alone: whether that is this process alone; others have to be told of every seed.
    """
    wanted = session.config.search.confirm
    if wanted is None:
        return
    chosen = finalists(records, wanted.top)
    seeds = other_seeds(session.config)
    left = {seed: _missing(run.at_seed(seed), chosen) for seed in seeds}
    total = sum(map(len, left.values()))
    done = 0
    for seed, missing in left.items():
        if alone and not missing:
            continue
        folder = run.at_seed(seed)
        with together(retraining_evaluator(session, folder, seed=seed)) as evaluator:
            for record in missing:
                progress.note(
                    f"confirming {done + 1} of {total}: trial {record.number}, seed {seed}"
                )
                found = retrain(evaluator, record, progress)
                folder.weights(record.number).unlink(missing_ok=True)
                write_retrained(folder, found)
                _tell(found, folder, seed, progress)
                done += 1
    _tell_best(records, read_repeats(run), wanted, progress)


def other_seeds(config: RunConfig) -> tuple[int, ...]:
    """The seeds of a run's confirmation besides its own."""
    wanted = config.search.confirm
    return () if wanted is None else tuple(config.seed + at for at in range(1, wanted.seeds))


def read_repeats(run: RunDirectory) -> ResultsBySeed:
    """What was trained again, by seed."""
    return dict(_repeats(run))


def read_confirmed(
    out: Path, config: RunConfig, records: Sequence[TrialRecord]
) -> dict[int, SeedStatistics]:
    """What the seeds of a run say of its finalists, by number.

    What was confirmed stays so where a search that went on asks for no confirmation, or has not
    come to that of its newest finalists: then those count that were finalists before.
    """
    wanted, repeats = config.search.confirm, read_repeats(RunDirectory(out))
    if wanted is None:
        return confirmed(records, repeats, None)
    retraining_evaluator = {record.number for repeated in repeats.values() for record in repeated}
    ends = [at for at, record in enumerate(records, 1) if record.number in retraining_evaluator]
    count = len(finalists(records, wanted.top))  # fewer are a confirmation that was interrupted
    for end in dict.fromkeys([len(records), *reversed(ends)]):
        found = confirmed(records[:end], repeats, wanted.top)
        if found and len(finalists(records[:end], wanted.top)) == count:
            return found
    return {}


def _repeats(run: RunDirectory) -> Iterator[tuple[int, list[TrialRecord]]]:
    for folder in sorted(run.at_seed(0).path.parent.glob("[0-9]*")):
        yield int(folder.name), read_retrained(RunDirectory(folder))


def _missing(folder: RunDirectory, chosen: Sequence[TrialRecord]) -> list[TrialRecord]:
    done = {record.number for record in read_retrained(folder)}
    return [record for record in chosen if record.number not in done]


def _tell(record: TrialRecord, folder: RunDirectory, seed: int, progress: SearchProgress) -> None:
    value = deltas(read_retrained(folder)).get(record.number)
    said = record.reason if value is None else f"Δm {value:+.2f} %"
    progress.note(f"trial {record.number} on seed {seed}: {record.state}  {said}")


def _tell_best(
    records: Sequence[TrialRecord],
    repeats: ResultsBySeed,
    wanted: ConfirmConfig,
    progress: SearchProgress,
) -> None:
    known = confirmed(records, repeats, wanted.top)
    within = {record.number for record in records if not record.over_limits}
    ranked = sorted((at for at in known if at in within), key=lambda at: -known[at].mean)
    if not ranked:
        progress.note("nothing is confirmed: no other seed has a Δm of every finalist")
        return
    best = known[ranked[0]]
    ties = [str(at) for at in ranked if known[at].tied_with_best]
    progress.note(
        f"confirmed: trial {ranked[0]}, Δm {best.mean:+.2f} ± {best.stderr:.2f} % "
        f"over {best.num_seeds} seeds" + (f"; ties with trial {', '.join(ties)}" if ties else "")
    )
