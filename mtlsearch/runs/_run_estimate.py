"""The estimate of all plans of a run file, in its run directory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.errors import RunError
from mtlsearch.registry import ResolvedRun
from mtlsearch.runs._estimate_plans import estimate_plans
from mtlsearch.runs._kept_network import refuse_extension
from mtlsearch.runs._retrain import retraining_evaluator, without_weights
from mtlsearch.runs._run_search import move_checkpoints, open_search, weight_pruning
from mtlsearch.runs._session import Session
from mtlsearch.search import SearchProgress
from mtlsearch.search.estimate import DEFAULT_PLANS, Estimate, ShortStudy
from mtlsearch.study import (
    RunDirectory,
    check_run_directory,
    open_run_storage,
    open_store,
    require_same_search,
)

if TYPE_CHECKING:
    import torch


def run_estimate(
    resolved: ResolvedRun,
    out: Path,
    *,
    plans: int = DEFAULT_PLANS,
    should_merge: bool | None = None,
    has_own_schedule: bool = False,
    device: torch.device,
    progress: SearchProgress,
) -> Estimate:
    """Train what an estimate requires, rank all plans, and write ``estimate.json``.

    What an earlier call or a search trained is used. A call after an interruption resumes, the
    interrupted training from its last checkpoint.

    Args:
        resolved: the run file with its plugins.
        out: run directory; created if it does not exist.
        plans: number of plans to train to a third of the epochs.
        should_merge: whether merged single-task networks give a prior mean; None: if the backbone
            is pretrained and this takes at most two trainings.
        has_own_schedule: whether the short trainings end at the lowest learning rate, in a study of
            their own that no search resumes.
        device: device of the training.
        progress: callbacks of the trainings.

    Returns:
        The estimate.

    Raises:
        ConfigError: the run file does not fit the data or extends a network in use, or no candidate
            is within the limits.
        DataError: images or labels have problems.
        RunError: the folder is in use, contains another search or is not a run directory, or the
            plans cannot be estimated.
    """
    refuse_extension(resolved.config, "estimate")
    run = RunDirectory(out)
    check_run_directory(run)
    with run.locked():
        with run.setting_up():
            digest = require_same_search(run, resolved.config)
            session, store = open_search(resolved, run, device, progress, None, trained_on=digest)
        run = session.evaluator.run
        with store.joined(run.path):
            return estimate_plans(
                session,
                run,
                session.evaluator,
                store,
                plans=plans,
                should_merge=should_merge,
                progress=progress,
                after_each=weight_pruning(run, session),
                take_over=move_checkpoints(run, progress),
                short_at=_short_studies(session, run, progress) if has_own_schedule else None,
            )


def _short_studies(
    session: Session, run: RunDirectory, progress: SearchProgress
) -> Callable[[int], ShortStudy]:
    """Return a function that returns the study of trainings of some epochs, opened once.

    It is a journal in the run directory, also if the trials of the run are in a database.
    """
    search = session.config.search.model_copy(update={"storage": None})
    config = session.config.model_copy(update={"search": search})

    @cache
    def short_at(epochs: int) -> ShortStudy:
        folder = run.short_trainings(epochs)
        folder.path.mkdir(parents=True, exist_ok=True)
        try:
            storage = open_run_storage(folder, config)
        except RunError as error:  # `mtlsearch repair` needs a run directory
            error.next_step = f"delete the folder {folder.path}; its trainings are made again"
            raise
        evaluator = retraining_evaluator(session, folder, seed=config.seed, epochs=epochs)
        return ShortStudy(
            without_weights(evaluator),
            open_store(folder, config, storage),
            move_checkpoints(folder, progress),
        )

    return short_at
