"""Train job: everything that one training needs, in one value."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mtlsearch.config import TrainConfig
from mtlsearch.errors import TrainingError
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plugin import Task
from mtlsearch.training._balancer_compatibility import check_balancer_compatible
from mtlsearch.training._balancing import BalancerConfig
from mtlsearch.training._checkpoint import Checkpointing
from mtlsearch.training._device import resolve_precision
from mtlsearch.training._feature_distillation import AuxiliaryLoss
from mtlsearch.training._interfaces import TrainingData
from mtlsearch.training._process_group import SINGLE_PROCESS, ProcessGroup

MIN_IMAGES_BY_SPLIT = {"train": 2, "val": 1}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainJob:
    """Everything that one training needs.

    Attributes:
        network: ``network(images, tasks) -> {task: outputs}``; it is moved to ``device`` and
            trained in place.
        tasks: tasks by name.
        data: batches of the training and validation splits.
        config: the ``train`` section of a run file; its ``learning_rate`` is not used.
        label_by_task: the label that each task learns.
        loss_weights: factor of the loss by task.
        learning_rate: peak learning rate.
        device: device to train on.
        seed: seed of dropout and of other random layers.
        process_group: processes that train this network together. Each calls :func:`train` with
            the same job except for ``device``, and gets the same result. Batches are split
            between them; each evaluates on the whole validation split.
        balancer: balancer of tasks that share parameters; None uses ``loss_weights`` only.
        auxiliary_loss: loss between features; requires a
            :class:`~mtlsearch.models.MultiTaskNetwork`.
        checkpointing: epoch after which to pause, and the checkpoint to resume from. On the CPU,
            a resumed training gives the same numbers, bit for bit, as one without a pause. It
            requires the same job with an untrained network. None trains all epochs in one call.
        val_groups: group of each validation image; images of one group are not independent. None:
            each image is a group.
        rungs: epochs, from 1, after which the replicates of the metrics are computed, beside the
            last one.
    """

    network: nn.Module
    tasks: Mapping[str, Task]
    data: TrainingData
    config: TrainConfig
    label_by_task: Mapping[str, str]
    loss_weights: Mapping[str, float]
    learning_rate: float
    device: torch.device
    seed: int
    process_group: ProcessGroup = SINGLE_PROCESS
    balancer: BalancerConfig | None = None
    auxiliary_loss: AuxiliaryLoss | None = None
    checkpointing: Checkpointing | None = None
    val_groups: Sequence[Hashable] | None = None
    rungs: Collection[int] = ()


def check_job(job: TrainJob) -> None:
    """Check that a job can be trained, before anything is built or changed.

    Raises:
        TrainingError: tasks, data, balancer or auxiliary loss do not fit together.
    """
    _check_tasks(job)
    _check_data(job)
    _check_balancer(job)
    _check_auxiliary_loss(job)
    _check_units(job)


def _check_tasks(job: TrainJob) -> None:
    names = sorted(job.tasks)
    for field, by_task in (
        ("label_by_task", job.label_by_task),
        ("loss_weights", job.loss_weights),
    ):
        if sorted(by_task) != names:
            raise TrainingError(
                f"`{field}` must have one entry per task, got {sorted(by_task)}",
                allowed=names,
            )


def _check_data(job: TrainJob) -> None:
    for split, minimum in MIN_IMAGES_BY_SPLIT.items():
        size = job.data.size(split)
        if size < minimum:
            raise TrainingError(
                f"the {split} split has {size} images, training needs {minimum} or more",
                where="data",
                next_step="set data.max_images or data.val_fraction to a larger value",
            )


def _check_balancer(job: TrainJob) -> None:
    if job.balancer is not None:
        check_balancer_compatible(
            job.balancer.make(sorted(job.tasks)),
            precision=resolve_precision(job.config.precision, job.device),
            is_compiled=job.config.compile,
            accumulation_steps=job.config.accumulation_steps,
            num_processes=job.process_group.size,
        )


def _check_auxiliary_loss(job: TrainJob) -> None:
    if job.auxiliary_loss is not None and not isinstance(job.network, MultiTaskNetwork):
        raise TrainingError(
            f"an auxiliary loss needs the features of a MultiTaskNetwork, got "
            f"{type(job.network).__name__}",
            next_step="pass a MultiTaskNetwork",
        )


def _check_units(job: TrainJob) -> None:
    """Check the settings that refer to units of the backbone."""
    config, network = job.config, job.network
    has_units = isinstance(network, MultiTaskNetwork)
    if config.backbone_lr_factor != 1 and not has_units:
        raise TrainingError(
            f"`backbone_lr_factor` needs the units of a MultiTaskNetwork, got "
            f"{type(network).__name__}",
            next_step="pass a MultiTaskNetwork",
        )
    num_frozen = network.num_frozen if isinstance(network, MultiTaskNetwork) else 0
    if num_frozen != config.freeze:
        raise TrainingError(
            f"`freeze` is {config.freeze}, but the network has {num_frozen} frozen units",
            next_step=f"call `network.freeze({config.freeze})`",
        )
