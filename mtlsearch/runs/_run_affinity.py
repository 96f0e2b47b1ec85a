"""The task affinity of a run file."""

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
from mtlsearch.errors import ConfigError
from mtlsearch.plan import Cost, SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.registry import ResolvedRun
from mtlsearch.runs._kept_network import refuse_extension
from mtlsearch.runs._session import Session, open_session
from mtlsearch.search import SearchProgress
from mtlsearch.study import RunDirectory

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class AffinityOutcome:
    """The task affinity of a run and the plans that it suggests.

    Attributes:
        affinity: the measured affinity.
        recommendation: up to three sharing plans.
        costs: cost by recommended plan, heads included.
        independent: cost of the ``independent`` baseline.
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
    """Train the networks of both baselines briefly and compute the task affinity.

    Args:
        resolved: the run file with its plugins.
        out: folder for the affinity; created if it does not exist.
        epochs: epochs of each training; None for a quarter of ``train.epochs``, rounded up.
        device: device of the training.
        progress: callbacks for reading images and for the training.

    Returns:
        The affinity, which is also written to ``out``.

    Raises:
        ConfigError: the run has one task only, or extends a network in use.
        OSError: the folder is not writable.
        TrainingError: a network cannot be trained.
    """
    refuse_extension(resolved.config, "affinity")
    if len(resolved.config.tasks) < 2:
        raise ConfigError(
            "task affinity requires at least two tasks, the run has one",
            where=resolved.where("tasks"),
            next_step="add a task to the run file",
        )
    out.mkdir(parents=True, exist_ok=True)
    session = open_session(resolved, RunDirectory(out), device=device, progress=progress)
    affinity = _measure(session, epochs, device, progress)
    write_affinity(affinity, out)
    return _outcome(session, affinity)


def _measure(
    session: Session, epochs: int | None, device: torch.device, progress: SearchProgress
) -> Affinity:
    from mtlsearch.training import resolve_train_config

    config, evaluator = session.config, session.evaluator
    num_epochs = epochs or -(-config.train.epochs // 4)
    train_config = resolve_train_config(config.train, config.data.image_size, device)
    measurement = AffinityMeasurement(
        tasks=evaluator.task_by_name,
        label_by_task=config.labels,
        loss_weights=session.space.fixed_weights,
        data=session.data,
        config=train_config.model_copy(update={"epochs": num_epochs, "compile": False}),
        device=device,
        seed=config.seed,
        on_progress=progress.stage,
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
    independent = cost(session.space.baseline_candidate("independent"))
    return AffinityOutcome(affinity, recommendation, costs, independent)
