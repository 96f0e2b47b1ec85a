"""Evaluation jobs of a trial of a run, and of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtlsearch.errors import ConfigError
from mtlsearch.evaluation._evaluate import EvaluationJob
from mtlsearch.evaluation._predictor import BundlePredictor, NetworkPredictor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mtlsearch.bundle import Bundle
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.registry import ResolvedRun
    from mtlsearch.results import TrialRecord
    from mtlsearch.runs import Session


def trial_job(
    session: Session, record: TrialRecord, *, split: str, resamples: int, seed: int
) -> EvaluationJob:
    """Return the job that evaluates the trained network of a trial.

    Args:
        session: the opened run.
        record: a complete trial of the run.
        split: name of the split.
        resamples: number of resamples of each confidence interval.
        seed: seed of the resamples.

    Returns:
        The job.

    Raises:
        RunError: the weights of the trial are not on disk.
    """
    from mtlsearch.runs import load_trial

    evaluator = session.evaluator
    network = load_trial(session, record).to(evaluator.device)
    predictor = NetworkPredictor(
        network, evaluator.task_by_name, session.data.preprocessing, evaluator.device
    )
    return EvaluationJob(
        name=f"trial {record.number} of {evaluator.run.path} ({record.plan})",
        predictor=predictor,
        data=session.data,
        tasks=evaluator.task_by_name,
        label_by_task=evaluator.label_by_task,
        split=split,
        resamples=resamples,
        seed=seed,
        validation={task: result.metrics for task, result in record.results.items()},
        run_meter=lambda name: _run_meter(session, network, name, split),
    )


def _run_meter(
    session: Session, network: MultiTaskNetwork, name: str, split: str
) -> Mapping[str, float]:
    """Return the metrics of a task's meter."""
    from mtlsearch.training import evaluate

    evaluator = session.evaluator
    batches = session.data.eval_batches(split, session.config.train.batch_size)
    metrics = evaluate(
        network,
        {name: evaluator.task_by_name[name]},
        batches,
        evaluator.label_by_task,
        evaluator.device,
    )
    return metrics[name]


def bundle_job(
    bundle: Bundle, resolved: ResolvedRun, *, split: str, resamples: int, seed: int
) -> EvaluationJob:
    """Return the job that evaluates a bundle on the data of a run file.

    Tasks of the bundle that the run file lacks are not evaluated.

    Args:
        bundle: the bundle.
        resolved: run file with data and tasks; its image size is that of the bundle.
        split: name of the split.
        resamples: number of resamples of each confidence interval.
        seed: seed of the resamples.

    Returns:
        The job.

    Raises:
        ConfigError: the graph of the bundle decodes, or the run file has none of the bundle's
            tasks, or other classes.
        DataError: the data cannot be opened.
    """
    from mtlsearch.data import open_data

    if bundle.manifest.decoded:
        raise ConfigError(
            "the graph of the bundle returns final predictions, but metrics need those of all "
            "scores",
            where=str(bundle.path),
            next_step="evaluate the same trial, exported without --decode and --web",
        )
    preprocessing = bundle.manifest.preprocessing
    data = open_data(
        resolved.open_sources(),
        resolved.config.data,
        mean=preprocessing.mean,
        std=preprocessing.std,
        seed=resolved.config.seed,
    )
    tasks = {
        name: task
        for name, task in resolved.build_tasks(data.labels).items()
        if name in bundle.tasks
    }
    if not tasks:
        raise ConfigError(
            "the run file has none of the tasks of the bundle",
            where="--data",
            allowed=sorted(bundle.tasks),
            next_step="set --data to the run file of the search that the bundle is from",
        )
    for name, task in tasks.items():
        _require_equal_classes(name, bundle.tasks[name].classes, task.label.classes)
    return EvaluationJob(
        name=f"bundle {bundle.path}",
        predictor=BundlePredictor(bundle),
        data=data,
        tasks=tasks,
        label_by_task=resolved.config.labels,
        split=split,
        resamples=resamples,
        seed=seed,
        validation={
            task: {name: float("nan") if value is None else value for name, value in values.items()}
            for task, values in bundle.manifest.metrics.items()
        },
    )


def _require_equal_classes(task: str, expected: tuple[str, ...], received: tuple[str, ...]) -> None:
    if tuple(expected) == tuple(received):
        return
    raise ConfigError(
        f"the classes of task {task!r} differ: the bundle has {', '.join(expected)}, the data "
        f"has {', '.join(received)}",
        where="--data",
        next_step="set the `classes` of the source to those of the bundle, in the same order",
    )
