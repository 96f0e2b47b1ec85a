"""The estimate of all plans of a run file, in its run directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.registry import ResolvedRun
from mtlsearch.runs._estimate_plans import estimate_plans
from mtlsearch.runs._kept_network import refuse_extension
from mtlsearch.runs._run_search import move_checkpoints, open_search, weight_pruning
from mtlsearch.search import SearchProgress
from mtlsearch.search.estimate import DEFAULT_PLANS, Estimate
from mtlsearch.study import (
    RunDirectory,
    check_run_directory,
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
            )
