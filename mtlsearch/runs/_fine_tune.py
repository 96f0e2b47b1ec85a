"""Fine-tuning: the trained network of a trial trained further, on its own or on other images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtlsearch.errors import ConfigError
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import TaskResult, TrialRecord
from mtlsearch.runs._load_trial import load_trial
from mtlsearch.runs._session import Session
from mtlsearch.runs._training_evaluator import ProgressHooks
from mtlsearch.search import SearchProgress

if TYPE_CHECKING:
    from mtlsearch.labels import LabelSpec
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.training import EpochRecord


@dataclass(frozen=True, slots=True)
class FineTuned:
    """Result of fine-tuning a trained network.

    Attributes:
        network: the network, in eval mode, on the device of the session.
        before: validation metrics before the training, by task and name.
        results: validation results after the last epoch, by task.
        epochs: losses and metrics of each epoch.
        note: remark on the training, such as smaller batches; empty by default.
    """

    network: MultiTaskNetwork
    before: Mapping[str, Mapping[str, float]]
    results: Mapping[str, TaskResult]
    epochs: tuple[EpochRecord, ...]
    note: str = ""


def fine_tune(
    session: Session,
    record: TrialRecord,
    *,
    learning_rate: float,
    progress: SearchProgress,
) -> FineTuned:
    """Train the network of a trial from its trained weights; write no file.

    The training has the loss weights and the balancer of the trial, and the settings of the
    session's run file. It has no distillation, because the teacher may be gone.

    Args:
        session: the run, opened with the settings and the images of the training.
        record: a complete trial of the run.
        learning_rate: peak learning rate.
        progress: callbacks for steps and epochs.

    Returns:
        The network with its metrics before and after.

    Raises:
        RunError: the weights of the trial are not on disk, or do not fit the settings.
        TrainingError: the network cannot be trained.
    """
    from mtlsearch.training import evaluate, resolve_train_config, train

    evaluator = session.evaluator
    if evaluator.kept is not None:  # tasks in use do not change further
        evaluator = replace(evaluator, kept=evaluator.kept.without_tuning())
        session = replace(session, evaluator=evaluator)
    candidate = replace(record.candidate, learning_rate=learning_rate, distillation=None)
    config = resolve_train_config(
        session.config.train, session.config.data.image_size, evaluator.device
    )
    network = load_trial(session, record).to(evaluator.device)
    before = evaluate(
        network,
        evaluator.task_by_name,
        session.data.eval_batches("val", config.batch_size),
        evaluator.label_by_task,
        evaluator.device,
    )
    steps = config.epochs * session.data.train_steps(config.batch_size)
    progress.trial_started(record.number, record.plan, steps)
    result = train(evaluator.job(candidate, network, config), ProgressHooks(progress))
    return FineTuned(
        network.eval(), before, evaluator.results(result.epochs[-1]), result.epochs, result.note
    )


def require_same_labels(resolved: ResolvedRun, other: ResolvedRun) -> None:
    """Check that the data of two run files have the labels and classes of the same tasks.

    Args:
        resolved: run file of the trained network.
        other: the run file with other data.

    Raises:
        ConfigError: the classes of a task differ.
        DataError: the data cannot be opened.
    """
    expected, received = _labels(resolved), _labels(other)
    for task, label in expected.items():
        if tuple(label.classes) != tuple(received[task].classes):
            raise ConfigError(
                f"the classes of task {task!r} differ: the network has "
                f"{', '.join(label.classes)}, the data has {', '.join(received[task].classes)}",
                where=other.where("data", "sources"),
                next_step="set the `classes` of the source to those of the network, in the same "
                "order",
            )


def _labels(resolved: ResolvedRun) -> dict[str, LabelSpec]:
    """Return the label of each task."""
    from mtlsearch.data import open_data

    channels = resolved.config.data.num_channels
    data = open_data(
        resolved.open_sources(),
        resolved.config.data,
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        seed=resolved.config.seed,
    )
    return {name: task.label for name, task in resolved.build_tasks(data.labels).items()}
