"""One search from a run file, in a run directory."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mtlsearch.config import RunConfig, save_resolved
from mtlsearch.registry import ResolvedRun
from mtlsearch.runs._confirm import confirm, other_seeds, read_repeats
from mtlsearch.runs._distributed import broadcasting, run_worker
from mtlsearch.runs._prior import read_prior, with_prior
from mtlsearch.runs._retrain import retraining_evaluator
from mtlsearch.runs._session import open_session
from mtlsearch.search import NullProgress, SearchOutcome, SearchProgress, check_feasible, search
from mtlsearch.study import (
    RunDirectory,
    check_run_directory,
    open_run_storage,
    open_store,
    prune_weights,
    require_same_search,
    truncate_partial_line,
    would_create_file,
)

if TYPE_CHECKING:
    import torch

    from mtlsearch.training import ProcessGroup


def run_search(
    resolved: ResolvedRun,
    out: Path,
    *,
    device: torch.device,
    progress: SearchProgress,
    ranks: ProcessGroup | None = None,
) -> SearchOutcome:
    """Search, or go on with a search that was stopped, until the trials are spent.

    What is refused before the first trial leaves no run behind.

    Args:
        resolved: the run file with its plugins.
        out: the run directory; made if it is not there.
        device: where networks are trained.
        progress: watches.
        ranks: the processes that train each network together; None is this one alone. All but
            the first call :func:`run_search_worker`.

    Raises:
        ConfigError: the run file asks for what is not there, or its budget leaves no room.
        DataError: files or rows are bad.
        RunError: the directory is in use, holds a search that this one cannot go on with, or is
            no run's.
    """
    run = RunDirectory(out)
    check_run_directory(run)
    with run.locked():
        require_same_search(run, resolved.config)
        truncate_partial_line(run.journal)
        at_prior = resolved.where("search", "warm_start")
        prior = read_prior(resolved.config.search, run, where=at_prior)
        # A bad one is told before images are read; a file is not begun before all is sound.
        later = would_create_file(resolved.config.search.storage, run.journal)
        storage = None if later else open_run_storage(run, resolved.config)
        session = open_session(resolved, run, device=device, progress=progress, ranks=ranks)
        space = with_prior(session.space, prior, where=at_prior)
        check_feasible(space)
        objectives = session.objectives
        storage = storage or open_run_storage(run, resolved.config)
        store = open_store(run, resolved.config, storage, objectives)
        save_resolved(resolved.config, run.config)
        confirmed = _confirmed(run)
        together = ranks is not None and ranks.count > 1
        with (
            broadcasting(session.evaluator)
            if together
            else nullcontext(session.evaluator) as measures
        ):
            outcome = search(
                space,
                measures,
                store,
                trials=resolved.config.search.trials,
                seed=resolved.config.seed,
                progress=progress,
                after_each=lambda records: prune_weights(
                    run, records, _kept(resolved.config), objectives, confirmed
                ),
            )
        confirm(
            session,
            run,
            store.records(),
            progress,
            together=broadcasting if together else nullcontext,
            alone=not together,
        )
        return outcome


def run_search_worker(
    resolved: ResolvedRun,
    out: Path,
    *,
    device: torch.device,
    ranks: ProcessGroup,
) -> None:
    """Train along with the process that calls :func:`run_search`, until it is done.

    Args:
        resolved: the same run file with its plugins.
        out: the same run directory; nothing is written to it.
        device: where this process's part of every batch is trained.
        ranks: this process among the others.
    """
    session = open_session(
        resolved,
        RunDirectory(out),
        device=device,
        progress=NullProgress(),
        check=False,
        ranks=ranks,
    )
    run_worker(session.evaluator)
    for seed in other_seeds(session.config):
        run_worker(retraining_evaluator(session, RunDirectory(out).at_seed(seed), seed=seed))


def _kept(config: RunConfig) -> Literal["all"] | int:
    """How many trials keep their weights: as many as may turn out to be the best."""
    keep, wanted = config.search.keep_weights, config.search.confirm
    return keep if keep == "all" or wanted is None else max(keep, wanted.top)


def _confirmed(run: RunDirectory) -> frozenset[int]:
    """Numbers of the trials that were trained on other seeds in earlier sittings."""
    repeats = read_repeats(run).values()
    return frozenset(record.number for repeated in repeats for record in repeated)
