"""Training of one network."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch import nn

from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plugin import Batch
from mtlsearch.training._accumulation import AccumulatingStep
from mtlsearch.training._checkpoint import EpochCheckpoints, load_checkpoint, save_checkpoint
from mtlsearch.training._compile import compiled
from mtlsearch.training._device import (
    Placement,
    Precision,
    resolve_placement,
    resolve_precision,
)
from mtlsearch.training._error_context import translate_errors
from mtlsearch.training._evaluate import Evaluated, evaluate_classes
from mtlsearch.training._feature_distillation import NetworkWithAuxiliaryLoss
from mtlsearch.training._interfaces import (
    EpochRecord,
    NoHooks,
    StepProbe,
    TrainingHooks,
    TrainingResult,
)
from mtlsearch.training._job import TrainJob, check_job
from mtlsearch.training._loss_tracker import LossTracker
from mtlsearch.training._optimizer import Schedule, build_optimizer
from mtlsearch.training._reproducibility import reproducible
from mtlsearch.training._step import TrainingStep

if TYPE_CHECKING:
    from mtlsearch.training._weight_average import WeightAverage

NO_HOOKS = NoHooks()


def train(
    job: TrainJob, hooks: TrainingHooks = NO_HOOKS, probe: StepProbe | None = None
) -> TrainingResult:
    """Train a network in place and evaluate it after every epoch.

    The same job on the same machine gives the same numbers, on a GPU as far as torch has
    deterministic kernels. Torch's generators and settings are restored.

    Args:
        job: network, tasks, data and settings.
        hooks: callbacks for steps, epochs and messages.
        probe: inspects the network before every step, without changing the training.

    Returns:
        Losses and metrics of all epochs.

    Raises:
        NonFiniteLossError: a loss or the gradient became infinite or NaN.
        TrainingError: there is too little data, a task has no labels, the memory is too small
            (for single images, or for whole batches if the balancer needs them), the network
            cannot be compiled, or the balancer does not support the way of training.
        RunError: the training cannot resume from its checkpoint.
    """
    check_job(job)
    learner = _learner(job)
    with (
        reproducible(
            job.seed + job.process_group.rank,
            job.device,
            deterministic_kernels=job.config.deterministic,
        ),
        translate_errors(),
        compiled(learner) if job.config.compile else nullcontext(learner) as forward,
    ):
        loop = _build_loop(job, hooks, probe, learner, forward)
        return loop.run()


def _learner(job: TrainJob) -> nn.Module:
    """Return the module that is trained: the network, with the auxiliary loss if there is one."""
    if job.auxiliary_loss is None:
        return job.network
    network = cast("MultiTaskNetwork", job.network)
    loss = job.auxiliary_loss
    return NetworkWithAuxiliaryLoss(network, loss.term, loss.further_tasks)


def _build_loop(
    job: TrainJob,
    hooks: TrainingHooks,
    probe: StepProbe | None,
    learner: nn.Module,
    forward: nn.Module,
) -> _TrainingLoop:
    """Move the learner to the device and build optimizer, schedule and step."""
    config = job.config
    precision = resolve_precision(config.precision, job.device)
    placement = resolve_placement(config.channels_last, job.device)
    placement.network(learner)
    optimizer = build_optimizer(
        learner,
        config.optimizer,
        learning_rate=job.learning_rate,
        weight_decay=config.weight_decay,
        backbone=job.network.backbones if isinstance(job.network, MultiTaskNetwork) else None,
        backbone_lr_factor=config.backbone_lr_factor,
    )
    step = TrainingStep(
        forward,
        job.tasks,
        label_by_task=job.label_by_task,
        loss_weights=job.loss_weights,
        optimizer=optimizer,
        precision=precision,
        clip_norm=config.clip_norm,
        balancer=job.balancer,
        alpha=None if job.auxiliary_loss is None else job.auxiliary_loss.alpha,
    )
    schedule = Schedule(
        optimizer,
        peak=job.learning_rate,
        steps=config.epochs * job.data.train_steps(config.batch_size),
        warmup=config.warmup,
    )
    accumulating_step = AccumulatingStep(
        step,
        job.network,
        placement,
        num_micro_batches=config.accumulation_steps,
        process_group=job.process_group,
        notify=hooks.notify,
    )
    return _TrainingLoop(
        job,
        hooks,
        probe,
        learner,
        accumulating_step,
        schedule,
        placement,
        precision,
        _weight_average(job),
    )


def _weight_average(job: TrainJob) -> WeightAverage | None:
    """Return the average of the placed network; None without one."""
    if job.config.ema is None:
        return None
    from mtlsearch.training._weight_average import WeightAverage

    return WeightAverage(job.network, job.config.ema)


@dataclass(slots=True)
class _TrainingLoop:
    """The epochs of one call of :func:`train`."""

    job: TrainJob
    hooks: TrainingHooks
    probe: StepProbe | None
    learner: nn.Module
    step: AccumulatingStep
    schedule: Schedule
    placement: Placement
    precision: Precision
    average: WeightAverage | None
    num_steps: int = 0
    epochs: tuple[EpochRecord, ...] = ()

    def run(self) -> TrainingResult:
        """Train all epochs, or those up to the pause, from the checkpoint if there is one."""
        num_epochs, checkpointing = self.job.config.epochs, self.job.checkpointing
        average = None if self.average is None else self.average.network
        stop_after = num_epochs
        if checkpointing is not None:
            stop_after = checkpointing.stop_after
            self.epochs, self.num_steps = load_checkpoint(
                checkpointing.path, self.learner, self.step, self.job.process_group, average
            )
        self.hooks.on_start(self.epochs)
        result = self.train_epochs(stop_after)
        if stop_after == num_epochs and self.average is not None:
            self.average.copy_to_network()
        if stop_after < num_epochs:
            self.save()
        return result

    def save(self) -> None:
        """Write a checkpoint of the completed epochs, if the job has one and can be saved."""
        checkpointing = self.job.checkpointing
        if checkpointing is not None and checkpointing.can_save(self.step):
            average = None if self.average is None else self.average.network
            save_checkpoint(
                checkpointing.path, self.learner, self.step, self.epochs, self.num_steps, average
            )
            if checkpointing.on_saved is not None:
                checkpointing.on_saved(checkpointing.path)

    def train_epochs(self, stop_after: int) -> TrainingResult:
        """Train until ``stop_after`` epochs are complete."""
        previous_seconds = sum(record.seconds for record in self.epochs)
        checkpointing = self.job.checkpointing
        checkpoints = EpochCheckpoints(None if checkpointing is None else checkpointing.interval)
        start = time.monotonic()
        for epoch in range(len(self.epochs), stop_after):
            self.epochs += (self.run_epoch(epoch, is_last=epoch + 1 == stop_after),)
            if epoch + 1 < stop_after:
                checkpoints.save_if_due(self.save)
        seconds = previous_seconds + time.monotonic() - start
        return TrainingResult(
            self.epochs, self.num_steps, seconds, self.step.num_micro_batches, self.step.note
        )

    def run_epoch(self, epoch: int, *, is_last: bool) -> EpochRecord:
        """Train on every batch once, evaluate and report."""
        start = time.monotonic()
        losses = self.train_epoch(epoch)
        should_replicate = is_last or epoch + 1 in self.job.rungs
        results = self.validate(should_split=is_last, should_replicate=should_replicate)
        seconds = time.monotonic() - start
        record = EpochRecord(
            epoch,
            losses,
            results.metrics,
            seconds,
            results.per_class,
            results.replicates,
            self.schedule.rate(self.num_steps - 1),
        )
        self.hooks.on_epoch(record, self.job.config.epochs)
        return record

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Train on every batch once; return the mean loss by task."""
        tracker = LossTracker(epoch, self.step.device, by_count=self.step.is_distributed)
        self.job.network.train()
        for batch in self.job.data.train_batches(epoch, self.job.config.batch_size):
            self.schedule.before(self.num_steps)
            self.run_probe(batch)
            outcome = self.step(batch)
            self.num_steps += 1
            if self.average is not None:
                self.average.update(self.num_steps)
            if outcome is not None and tracker.add(self.num_steps, outcome):
                self.hooks.on_step(self.num_steps, self.schedule.steps, tracker.latest)
        tracker.read()
        self.step.epoch_ended()
        return tracker.means(self.job.tasks)

    def run_probe(self, batch: Batch) -> None:
        """Pass the batch to the probe, on the device."""
        if self.probe is not None:
            self.probe(self.num_steps, self.placement.batch(batch))

    def validate(self, *, should_split: bool, should_replicate: bool) -> Evaluated:
        """Evaluate on the validation split, with batches of the size of a micro batch."""
        job = self.job
        network = job.network if self.average is None else self.average.network
        if self.step.is_distributed:
            job.process_group.average_buffers(job.network)
            if self.average is not None:
                job.process_group.average_buffers(network)
        num_parts = job.process_group.size * self.step.num_micro_batches
        batches = job.data.eval_batches("val", -(-job.config.batch_size // num_parts))
        return evaluate_classes(
            network,
            job.tasks,
            batches,
            job.label_by_task,
            job.device,
            self.precision,
            job.config.channels_last,
            should_split=should_split,
            groups=job.val_groups or range(job.data.size("val")) if should_replicate else None,
        )
