"""Realignment: statistics, norm scales and head of a network whose weights were merged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from mtlsearch.errors import TrainingError
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plugin import Batch
from mtlsearch.training._accumulation import AccumulatingStep
from mtlsearch.training._device import (
    Placement,
    Precision,
    resolve_placement,
    resolve_precision,
)
from mtlsearch.training._error_context import translate_errors
from mtlsearch.training._evaluate import evaluate
from mtlsearch.training._interfaces import Metrics, NoHooks
from mtlsearch.training._job import TrainJob
from mtlsearch.training._loss_tracker import LossTracker
from mtlsearch.training._optimizer import Schedule, build_optimizer
from mtlsearch.training._reproducibility import reproducible
from mtlsearch.training._step import TrainingStep

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def realign(job: TrainJob, *, num_images: int, num_steps: int) -> Metrics:
    """Realign a network with merged weights in place, and evaluate it.

    First, the running statistics of BatchNorm are those of some training images. Then the heads,
    and the weights and biases of the backbone's normalization layers, are trained for some steps,
    with these statistics. All other weights of the backbone stay.

    Args:
        job: settings and data, with a :class:`~mtlsearch.models.MultiTaskNetwork`;
            ``config.epochs`` is not used.
        num_images: number of training images for the statistics, rounded up to whole batches, at
            most those of one epoch.
        num_steps: number of training steps.

    Returns:
        Validation metrics by task and metric name.

    Raises:
        NonFiniteLossError: a loss or the gradient became infinite or NaN.
        TrainingError: no batch has a label of a task, or the memory is too small.
    """
    network, config = cast("MultiTaskNetwork", job.network), job.config
    precision = resolve_precision(config.precision, job.device)
    placement = resolve_placement(config.channels_last, job.device)
    placement.network(network)
    with (
        reproducible(job.seed, job.device, deterministic_kernels=config.deterministic),
        translate_errors(),
    ):
        network.freeze(len(network.units))
        network.eval()
        _estimate_statistics(network, job, placement, precision, num_images)
        if num_steps:
            _tune(network, job, placement, precision, num_steps)
    return evaluate(
        network,
        job.tasks,
        job.data.eval_batches("val", config.batch_size),
        job.label_by_task,
        job.device,
        precision,
        config.channels_last,
    )


def _estimate_statistics(
    network: MultiTaskNetwork,
    job: TrainJob,
    placement: Placement,
    precision: Precision,
    num_images: int,
) -> None:
    """Replace the running statistics of the backbones by the mean over batches."""
    norms = [
        module
        for module in network.backbones.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    num_batches = -(-num_images // job.config.batch_size)
    with torch.no_grad(), precision.autocast(job.device):
        for batch in islice(job.data.train_batches(0, job.config.batch_size), num_batches):
            network.features(placement.batch(batch).images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _tune(
    network: MultiTaskNetwork,
    job: TrainJob,
    placement: Placement,
    precision: Precision,
    num_steps: int,
) -> None:
    """Train the heads and the normalization layers of the backbones."""
    config = job.config
    for module in network.backbones.modules():
        if isinstance(module, NORMS):
            module.requires_grad_(True)
    optimizer = build_optimizer(
        network,
        config.optimizer,
        learning_rate=job.learning_rate,
        weight_decay=config.weight_decay,
    )
    step = AccumulatingStep(
        TrainingStep(
            network,
            job.tasks,
            label_by_task=job.label_by_task,
            loss_weights=job.loss_weights,
            optimizer=optimizer,
            precision=precision,
            clip_norm=config.clip_norm,
        ),
        network,
        placement,
        num_micro_batches=config.accumulation_steps,
        process_group=job.process_group,
        notify=NoHooks().notify,
    )
    schedule = Schedule(optimizer, peak=job.learning_rate, steps=num_steps, warmup=config.warmup)
    tracker = LossTracker(0, job.device)
    network.train()
    num_done = 0
    for batch in islice(_labeled_batches(job, num_steps), num_steps):
        schedule.before(num_done)
        num_done += 1
        outcome = step(batch)
        if outcome is not None:
            tracker.add(num_done, outcome)
    tracker.read()
    network.eval()
    if not num_done:
        raise TrainingError(
            "no training batch has a label of " + " or ".join(sorted(job.tasks)),
            where="data",
            next_step="label more images of the train split",
        )


def _labeled_batches(job: TrainJob, max_epochs: int) -> Iterator[Batch]:
    """Yield the batches that have a label of a task."""
    labels = {job.label_by_task[task] for task in job.tasks}
    for epoch in range(max_epochs):
        for batch in job.data.train_batches(epoch, job.config.batch_size):
            if labels & batch.targets.keys():
                yield batch
