"""Estimate of sharing plans by merging the single-task networks of a trained baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from mtlsearch.errors import NonFiniteLossError, RunError
from mtlsearch.plan import SharingPlan, TaskPath
from mtlsearch.results import TaskResult, TrialRecord, delta_m_by_task
from mtlsearch.runs._load_trial import load_trial
from mtlsearch.runs._merge_price import (
    MergeKey,
    MergeSettings,
    affordable_settings,
    merge_batches,
    path_names,
    plan_of_paths,
)
from mtlsearch.runs._merge_store import MergeStore
from mtlsearch.runs._session import Session
from mtlsearch.search import SearchProgress

if TYPE_CHECKING:
    from mtlsearch.models import CutBackbone, MultiTaskNetwork
    from mtlsearch.training import TrainJob


@dataclass(frozen=True, slots=True)
class MergeEstimate:
    """Metrics of merged networks.

    Attributes:
        factor: factor of the sum of weight changes that was best on ``hard``; None is the mean.
        results: metrics of each task by path.
    """

    factor: float | None
    results: Mapping[str, Mapping[TaskPath, TaskResult]]

    def changes(self, plans: Sequence[SharingPlan]) -> dict[str, dict[SharingPlan, float]]:
        """Return the estimated part of each task in Δm.

        The reference is the path of ``independent``, realigned like any other.

        Args:
            plans: plans whose paths were measured.

        Returns:
            Change in percent against ``independent`` by task and plan. Plans for which it is
            undefined are missing.
        """
        changes: dict[str, dict[SharingPlan, float]] = {task: {} for task in self.results}
        for plan in plans:
            unshared = SharingPlan.independent(plan.tasks, len(plan.rows))
            by_task = delta_m_by_task(self._results_of(plan), self._results_of(unshared))
            for task, change in (by_task or {}).items():
                changes[task][plan] = change
        return changes

    def _results_of(self, plan: SharingPlan) -> dict[str, TaskResult]:
        return {task: self.results[task][plan.path_of(task)] for task in plan.tasks}


def merge_estimate(
    session: Session,
    independent: TrialRecord,
    plans: Sequence[SharingPlan],
    *,
    progress: SearchProgress,
    settings: MergeSettings | None = None,
) -> MergeEstimate:
    """Estimate plans from the weights of the trained ``independent`` baseline.

    For each distinct path of a task, the units that it shares get the initial weights plus the
    sum of the weight changes of their single-task networks, times a factor. The network is
    realigned (:func:`mtlsearch.training.realign`) and evaluated, together with some paths that
    begin alike. The results are written to ``merging.json`` in the run directory at once. A later
    call resumes from it.

    Args:
        session: the opened run, with pretrained weights.
        independent: the complete ``independent`` trial of the run.
        plans: plans for the tasks and units of the run.
        progress: callback for the paths.
        settings: settings; None for the most thorough ones with a :func:`merge_price` of at most
            two trainings.

    Returns:
        Metrics of all paths of the plans, and of those of ``independent``.

    Raises:
        RunError: the backbone is not pretrained, or the weights of the baseline are not on disk.
        TrainingError: a network cannot be trained, such as for lack of memory.
    """
    backbone = session.config.backbone
    if not backbone.has_weights:
        raise RunError(
            "merging requires pretrained weights, from which all single-task networks start",
            where="backbone",
            next_step="set `backbone.pretrained`, `backbone.checkpoint_path` or "
            "`backbone.checkpoints`",
        )
    chosen = settings or affordable_settings(session, plans)
    return _Merging.of(session, independent, chosen, progress).run(plans)


@dataclass(slots=True)
class _Merging:
    """The single-task networks of a run, and what was measured of them."""

    session: Session
    cut: CutBackbone
    network: MultiTaskNetwork
    settings: MergeSettings
    progress: SearchProgress
    learning_rate: float
    store: MergeStore

    @classmethod
    def of(
        cls,
        session: Session,
        independent: TrialRecord,
        settings: MergeSettings,
        progress: SearchProgress,
    ) -> _Merging:
        config, evaluator = session.config, session.evaluator
        candidate = independent.candidate
        network = load_trial(session, independent)
        return cls(
            session,
            evaluator.cut_backbones[candidate.backbone or config.backbone.names[0]],
            network,
            settings,
            progress,
            candidate.learning_rate or config.train.learning_rate,
            MergeStore.open(evaluator.run, independent.number, settings),
        )

    def run(self, plans: Sequence[SharingPlan]) -> MergeEstimate:
        """Choose the factor, then measure all paths."""
        units, tasks = len(self.network.units), self.network.tasks
        unshared, hard = SharingPlan.independent(tasks, units), SharingPlan.hard(tasks, units)
        factors = self.settings.factors
        on_hard = [(task, hard.path_of(task), factor) for task in tasks for factor in factors]
        of_unshared = [(task, unshared.path_of(task), None) for task in tasks]
        paths = {task: sorted({plan.path_of(task) for plan in plans}) for task in tasks}
        num_paths = sum(map(len, paths.values())) + len(on_hard)
        first = [*of_unshared, *on_hard]
        self._measure(first, num_paths)
        factor = self._best_factor(unshared, hard)
        keys = [
            (task, path, None if path == unshared.path_of(task) else factor)
            for task in tasks
            for path in paths[task]
        ]
        self._measure([*first, *keys], len({*first, *keys}))
        results: dict[str, dict[TaskPath, TaskResult]] = {task: {} for task in tasks}
        for task, path, used in [*of_unshared, *keys]:
            results[task][path] = self._result(task, path, used)
        return MergeEstimate(factor, results)

    def _best_factor(self, unshared: SharingPlan, hard: SharingPlan) -> float | None:
        """Return the factor with the largest mean change of the tasks on ``hard``."""
        reference = {
            task: self._result(task, unshared.path_of(task), None) for task in unshared.tasks
        }

        def mean_change(factor: float | None) -> float:
            results = {
                task: self._result(task, hard.path_of(task), factor) for task in unshared.tasks
            }
            changes = delta_m_by_task(results, reference)
            return fmean(changes.values()) if changes else -math.inf

        return max(self.settings.factors, key=mean_change)

    def _measure(self, keys: Sequence[MergeKey], total: int) -> None:
        """Measure what is not in the store yet, some paths of one task at a time."""
        missing = [key for key in dict.fromkeys(keys) if key not in self.store.metrics]
        done = len(set(keys)) - len(missing)
        for task in self.network.tasks:
            of_task = sorted((key for key in missing if key[0] == task), key=lambda key: key[1])
            for chosen in merge_batches(of_task):
                self.progress.stage("measuring merged paths", done, total)
                self.store.add(dict(zip(chosen, self._metrics(task, chosen), strict=True)))
                done += len(chosen)
        self.progress.stage("measuring merged paths", done, total)

    def _metrics(self, task: str, keys: Sequence[MergeKey]) -> list[dict[str, float]]:
        """Return the metrics of a task on merged paths; NaN if a loss is not finite."""
        from mtlsearch.training import realign

        try:
            metrics = realign(
                self._job(task, self._merged(task, keys)),
                num_images=self.settings.num_images,
                num_steps=self.settings.num_steps,
            )
        except NonFiniteLossError:
            if len(keys) > 1:  # the loss of one of them
                return [metrics for key in keys for metrics in self._metrics(task, [key])]
            return [{spec.name: math.nan for spec in self.session.evaluator.metric_specs(task)}]
        return [dict(metrics[name]) for name in path_names(keys)]

    def _merged(self, task: str, keys: Sequence[MergeKey]) -> MultiTaskNetwork:
        """Return a network with one branch per merged path; equal beginnings are shared."""
        from mtlsearch.models import MultiTaskNetwork

        plan = plan_of_paths(keys)
        heads = {name: deepcopy(self.network.head(task)) for name in plan.tasks}
        network = MultiTaskNetwork(self.cut, plan, heads)
        trained = {
            name: self.network.backbones.task_model(name).state_dict()
            for name in self.network.tasks
        }
        for name, (_, path, factor) in zip(plan.tasks, keys, strict=True):
            state = self.cut.merge(trained, path, factor)
            network.backbones.task_model(name).load_state_dict(state)
        return network

    def _job(self, task: str, network: MultiTaskNetwork) -> TrainJob:
        from mtlsearch.training import TrainJob, resolve_train_config

        evaluator, config = self.session.evaluator, self.session.config
        return TrainJob(
            network=network,
            tasks=dict.fromkeys(network.tasks, evaluator.task_by_name[task]),
            data=self.session.data,
            config=resolve_train_config(config.train, config.data.image_size, evaluator.device),
            label_by_task=dict.fromkeys(network.tasks, evaluator.label_by_task[task]),
            loss_weights=dict.fromkeys(network.tasks, 1.0),
            learning_rate=self.learning_rate,
            device=evaluator.device,
            seed=config.seed,
        )

    def _result(self, task: str, path: TaskPath, factor: float | None) -> TaskResult:
        evaluator = self.session.evaluator
        return TaskResult(
            self.store.metrics[task, path, factor],
            evaluator.metric_specs(task),
            num_images=self.session.data.num_labeled("val", evaluator.label_by_task[task]),
        )
