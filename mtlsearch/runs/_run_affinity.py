"""Task affinity of a run file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.affinity import (
    Affinity,
    AffinityMeasurement,
    Recommendation,
    recommend,
    write_affinity,
)
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.registry import ResolvedRun
from mtlsearch.runs._session import Session, open_session
from mtlsearch.search import SearchProgress
from mtlsearch.study import RunDirectory

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class AffinityOutcome:
    """What was measured, and what it suggests.

    Attributes:
        affinity: how the tasks get on.
        recommendation: what may be tried.
        costs: of the recommended plans, heads included.
        independent: what the network costs that shares nothing.
    """

    affinity: Affinity
    recommendation: Recommendation
    costs: Mapping[SharingPlan, Cost]
    independent: Cost


def run_affinity(
    resolved: ResolvedRun,
    out: Path,
    *,
    epochs: int | None,
    device: torch.device,
    progress: SearchProgress,
) -> AffinityOutcome:
    """Train the ``hard`` and the ``independent`` network for a short while and compare tasks.

    Args:
        resolved: the run file with its plugins.
        out: the folder for what is measured; made if it is not there.
        epochs: of each training; None for a quarter of the run's, rounded up.
        device: where networks are trained.
        progress: watches.

    Raises:
        ConfigError: the run has a single task.
        RunError: the folder cannot be made.
        TrainingError: one of the networks cannot be trained.
    """
    if len(resolved.config.tasks) < 2:
        raise ConfigError(
            "affinity is between tasks, and the run has one alone",
            where=resolved.where("tasks"),
            next_step="name two tasks or more",
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"this is no folder that can be written to ({error.strerror})",
            where=str(out),
            next_step="give another folder with --out",
        ) from error
    session = open_session(resolved, RunDirectory(out), device=device, progress=progress)
    affinity = _measured(session, epochs, device, progress)
    write_affinity(affinity, out)
    return _outcome(session, affinity)


def _measured(
    session: Session, epochs: int | None, device: torch.device, progress: SearchProgress
) -> Affinity:
    from mtlsearch.training import resolve_train_config

    config, evaluator = session.config, session.evaluator
    short = epochs or -(-config.train.epochs // 4)
    measurement = AffinityMeasurement(
        tasks=evaluator.task_of,
        labels_of=config.labels,
        loss_weights=session.space.fixed_weights,
        data=session.data,
        config=resolve_train_config(config.train, config.data.image_size, device).model_copy(
            update={"epochs": short, "compile": False}
        ),
        device=device,
        seed=config.seed,
        stage=progress.stage,
    )
    hard, independent = (
        evaluator.build(session.space.baseline_candidate(baseline)).to(device)
        for baseline in ("hard", "independent")
    )
    return measurement.run(hard, independent)


def _outcome(session: Session, affinity: Affinity) -> AffinityOutcome:
    recommendation = recommend(affinity)
    cost = session.evaluator.cost
    costs = {plan: cost(Candidate(plan)) for _, plan in recommendation.plans}
    alone = cost(session.space.baseline_candidate("independent"))
    return AffinityOutcome(affinity, recommendation, costs, alone)
