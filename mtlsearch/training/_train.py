"""One network, trained under a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from mtlsearch.config import TrainConfig
from mtlsearch.errors import TrainingError
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plugin import Batch, Task
from mtlsearch.training._accumulation import AccumulatingStep
from mtlsearch.training._balancer_compatibility import check_balancer_compatible
from mtlsearch.training._balancing import BalancerConfig
from mtlsearch.training._checkpoint import Checkpointing, restore, save
from mtlsearch.training._compile import compiled
from mtlsearch.training._evaluate import evaluate
from mtlsearch.training._failures import translate_errors
from mtlsearch.training._feature_distillation import AuxiliaryLoss, NetworkWithAuxiliaryLoss
from mtlsearch.training._interfaces import TrainingData
from mtlsearch.training._loss_tracker import LossTracker
from mtlsearch.training._optimizer import Schedule, build_optimizer
from mtlsearch.training._placement import resolve_placement
from mtlsearch.training._precision import resolve_precision
from mtlsearch.training._probe import StepProbe
from mtlsearch.training._process_group import ProcessGroup
from mtlsearch.training._reproducibility import repeatable
from mtlsearch.training._result import EpochRecord, TrainingProgress, TrainingResult
from mtlsearch.training._step import TrainingStep

SINGLE_PROCESS = ProcessGroup()


def train(
    network: nn.Module,
    tasks: Mapping[str, Task],
    data: TrainingData,
    config: TrainConfig,
    *,
    labels_of: Mapping[str, str],
    loss_weights: Mapping[str, float],
    learning_rate: float,
    device: torch.device,
    seed: int,
    progress: TrainingProgress | None = None,
    ranks: ProcessGroup = SINGLE_PROCESS,
    balancer: BalancerConfig | None = None,
    probe: StepProbe | None = None,
    lesson: AuxiliaryLoss | None = None,
    pause: Checkpointing | None = None,
) -> TrainingResult:
    """Train a network in place and measure it after every epoch.

    The same arguments on the same machine give the same numbers, on a GPU wherever torch has
    deterministic kernels. Torch's own generators and settings are left as they were.

    Args:
        network: ``network(images, tasks) -> {task: outputs}``; it is moved to ``device``.
        tasks: the tasks by name.
        data: the batches.
        config: the budget.
        labels_of: the label that each task learns.
        loss_weights: a weight a task.
        learning_rate: the peak rate; the one of ``config`` is not looked at.
        device: where to train.
        seed: seed of dropout and the like.
        progress: is told of steps and epochs.
        ranks: the processes that train this network together; each calls this function with
            the same arguments but for ``device``, and gets the same result. Batches are
            parted between them, evaluation is done by each.
        balancer: how tasks that share are balanced; None keeps to ``loss_weights``.
        probe: looks at the network before every step, and leaves it as it was.
        lesson: what tasks learn from features besides; takes a
            :class:`~mtlsearch.models.MultiTaskNetwork`.
        pause: stop after some of the epochs, and go on from there in another call with the
            same arguments and an untrained network; on the CPU that gives the same numbers, bit
            for bit, as if there had been no pause. None trains all epochs at once.

    Raises:
        NonFiniteLossError: a loss or the gradient became infinite or not a number.
        TrainingError: there is too little data, a task without labels, too little memory (even
            for single images, or for whole batches where the balancer needs them), the network
            does not compile, or the balancer does not fit the way of training.
        RunError: what an earlier call left cannot be gone on from.
    """
    _check(tasks, data, config, labels_of, loss_weights)
    precision = resolve_precision(config.precision, device)
    if balancer is not None:
        check_balancer_compatible(
            balancer.make(sorted(tasks)),
            precision=precision,
            compiles=config.compile,
            parts=config.accumulation_steps,
            processes=ranks.count,
        )
    placement = resolve_placement(config.channels_last, device)
    learner = _learner(network, lesson)
    with (
        repeatable(seed + ranks.rank, device, kernels=config.deterministic),
        translate_errors(),
        compiled(learner, wanted=config.compile) as runner,
    ):
        placement.network(learner)
        optimizer = build_optimizer(
            learner, config.optimizer, learning_rate=learning_rate, weight_decay=config.weight_decay
        )
        step = TrainingStep(
            runner,
            tasks,
            labels_of=labels_of,
            loss_weights=loss_weights,
            optimizer=optimizer,
            precision=precision,
            clip_norm=config.clip_norm,
            balancer=balancer,
            alpha=None if lesson is None else lesson.alpha,
        )
        schedule = Schedule(
            optimizer,
            peak=learning_rate,
            steps=config.epochs * data.train_steps(config.batch_size),
            warmup=config.warmup,
        )

        def notify(text: str) -> None:
            if progress is not None:
                progress.note(text)

        fitted = AccumulatingStep(
            step, network, placement, parts=config.accumulation_steps, ranks=ranks, notify=notify
        )

        def validate() -> dict[str, dict[str, float]]:
            ranks.average_buffers(network)
            batches = data.eval_batches(
                "val", -(-config.batch_size // (ranks.count * fitted.parts))
            )
            return evaluate(
                network, tasks, batches, labels_of, device, precision, config.channels_last
            )

        def run_probe(done: int, batch: Batch) -> None:
            if probe is not None:
                probe(done, placement.batch(batch))

        training = _Training(
            network, tasks, data, config, fitted, schedule, validate, progress, run_probe
        )
        if pause is None:
            return training.run(config.epochs)
        training.epochs, training.done = restore(pause.path, learner, fitted, ranks)
        result = training.run(pause.after)
        if pause.after < config.epochs and pause.saves(fitted):
            save(pause.path, learner, fitted, result.epochs, result.steps)
        return result


def _learner(network: nn.Module, lesson: AuxiliaryLoss | None) -> nn.Module:
    """What steps are taken with: the network, and what it learns from beside it."""
    if lesson is None:
        return network
    if not isinstance(network, MultiTaskNetwork):
        raise TrainingError(
            f"a lesson is about features, which {type(network).__name__} does not name",
            next_step="train a MultiTaskNetwork",
        )
    return NetworkWithAuxiliaryLoss(network, lesson.term)


def _check(
    tasks: Mapping[str, Task],
    data: TrainingData,
    config: TrainConfig,
    labels_of: Mapping[str, str],
    loss_weights: Mapping[str, float],
) -> None:
    for what, names in (("labels_of", labels_of), ("loss_weights", loss_weights)):
        if set(names) != set(tasks):
            raise TrainingError(
                f"{what} names {sorted(names)}, the tasks are {sorted(tasks)}",
                allowed=sorted(tasks),
            )
    for split, least in (("train", 2), ("val", 1)):
        if data.size(split) < least:
            raise TrainingError(
                f"the {split} split has {data.size(split)} images, training takes {least} or more",
                where="data",
                next_step="take more images (data.max_images, data.val_fraction)",
            )


@dataclass(slots=True)
class _Training:
    """The epochs of one call of :func:`train`."""

    network: nn.Module
    tasks: Mapping[str, Task]
    data: TrainingData
    config: TrainConfig
    step: AccumulatingStep
    schedule: Schedule
    validate: Callable[[], dict[str, dict[str, float]]]
    progress: TrainingProgress | None
    run_probe: Callable[[int, Batch], None]
    done: int = 0
    epochs: tuple[EpochRecord, ...] = ()

    def run(self, until: int) -> TrainingResult:
        before = sum(record.seconds for record in self.epochs)
        began = time.monotonic()
        for number in range(len(self.epochs), until):
            self.epochs += (self.epoch(number),)
        seconds = before + time.monotonic() - began
        return TrainingResult(self.epochs, self.done, seconds, self.step.parts, self.step.note)

    def epoch(self, number: int) -> EpochRecord:
        began = time.monotonic()
        losses = self.train_epoch(number)
        metrics = self.validate()
        record = EpochRecord(number, losses, metrics, time.monotonic() - began)
        if self.progress is not None:
            self.progress.epoch(record, self.config.epochs)
        return record

    def train_epoch(self, number: int) -> dict[str, float]:
        """Train on every batch once; each task's mean loss."""
        log = LossTracker(number, self.step.device, by_count=self.step.is_distributed)
        self.network.train()
        for batch in self.data.train_batches(number, self.config.batch_size):
            self.schedule.before(self.done)
            self.run_probe(self.done, batch)
            outcome = self.step(batch)
            self.done += 1
            if outcome is not None and log.add(self.done, outcome) and self.progress is not None:
                self.progress.step(self.done, self.schedule.steps, log.latest)
        log.read()
        self.step.epoch_ended()
        return log.means(self.tasks)
