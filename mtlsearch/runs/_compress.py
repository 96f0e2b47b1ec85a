"""Compression: the network of a trial pruned and fine-tuned, as a trial of its own."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal

from mtlsearch.config import RunConfig, parse_limit
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.results import Compression, TrialRecord
from mtlsearch.runs._load_trial import load_network, load_trial
from mtlsearch.runs._retrain import read_retrained, write_retrained
from mtlsearch.runs._session import Session
from mtlsearch.runs._teacher import find_teacher, require_teacher_backbone
from mtlsearch.runs._training_evaluator import TrainingEvaluator
from mtlsearch.search import SearchProgress
from mtlsearch.study import RunDirectory, StudyView, open_run_storage, open_store, read_view

if TYPE_CHECKING:
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.training import AuxiliaryLoss

Importance = Literal["taylor", "weights"]
Teacher = Literal["trial", "independent", "none"]

NUM_BATCHES = 16
"""Number of training batches whose gradients give the importance of channels."""

PRUNED = "pruned.safetensors"
"""File with the weights before the fine-tuning."""

_SHARE = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*x\s*")


@dataclass(frozen=True, slots=True)
class CompressSettings:
    """How to compress a network.

    Attributes:
        flops: the largest number of FLOPs: a share of the trial's, such as ``0.5x``, or a number
            such as ``300M``.
        epochs: number of epochs of the fine-tuning, one or more.
        importance: which channels are removed first. ``taylor``: those whose removal changes the
            loss on training images least. ``weights``: those with the smallest weights.
        teacher: whose features the fine-tuning distills: those of the trial itself, of the
            independent baseline, or none.
        alpha: factor of the distillation loss.
        learning_rate: peak learning rate; None for that of the trial.
        seed: seed of order and augmentation; None for that of the run.
    """

    flops: str
    epochs: int
    importance: Importance = "taylor"
    teacher: Teacher = "trial"
    alpha: float = 1.0
    learning_rate: float | None = None
    seed: int | None = None


def compress(
    session: Session,
    run: RunDirectory,
    record: TrialRecord,
    settings: CompressSettings,
    *,
    progress: SearchProgress,
) -> TrialRecord:
    """Prune the network of a trial, fine-tune it, and add it to the run as a compressed trial.

    The compressed trial has a number of its own and the trial as parent. No sampler, surrogate
    or verdict uses it. After an interruption, the same settings resume from the last epoch.

    Args:
        session: the opened run.
        run: the run directory.
        record: the complete trial.
        settings: how to compress it.
        progress: callbacks for steps and epochs.

    Returns:
        The record of the compressed trial, also if it existed before.

    Raises:
        ConfigError: the number of FLOPs is invalid, or torch-pruning is not installed.
        RunError: the trial is compressed, its weights are not on disk, or it cannot be pruned
            that far.
        BackboneError: the backbone cannot be pruned.
        TrainingError: the network cannot be fine-tuned, or the teacher is missing.
    """
    compression = _compression(settings, record, session.config)
    folder = run.compressing(_name(compression, settings.epochs))
    storage = open_run_storage(run, session.config)
    store = open_store(run, session.config, storage, session.objectives)
    existing = find_compressed(store.view(), session.config, record, settings)
    if existing is None:
        compressed = next(iter(read_retrained(folder)), None)
        if compressed is None:
            compressed = _make(session, folder, record, compression, settings.epochs, progress)
        existing = store.add_compressed(compressed)
    run = session.evaluator.run
    if folder.path.is_dir():  # also if the process ended between the two steps
        _move(folder, run, existing.number)
    elif not run.fetch(run.weights(existing.number)).is_file():
        raise RunError(
            f"the weights of the compressed trial {existing.number} were deleted",
            where=str(run.weights(existing.number)),
            next_step="restore the file, or set another --seed to compress the trial again",
        )
    return existing


def find_compressed(
    view: StudyView, config: RunConfig, record: TrialRecord, settings: CompressSettings
) -> TrialRecord | None:
    """Return the compressed trial with the same parent and settings; None if there is none.

    Args:
        view: the study.
        config: run file of its run.
        record: the trial that is compressed.
        settings: how to compress it.

    Returns:
        The record, or None.

    Raises:
        ConfigError: the number of FLOPs is invalid.
        RunError: the trial is itself compressed.
    """
    wanted = (_compression(settings, record, config), settings.epochs)
    return next(
        (other for other in view.compressed if (other.compression, other.epochs) == wanted), None
    )


def _compression(settings: CompressSettings, record: TrialRecord, config: RunConfig) -> Compression:
    if record.compression is not None:
        raise RunError(
            f"trial {record.number} is itself compressed, from trial {record.compression.parent}",
            where="--trial",
            next_step=f"set --trial {record.compression.parent} and a smaller --flops",
        )
    train, learning_rate = config.train, settings.learning_rate
    for option, value in (("--learning-rate", learning_rate), ("--alpha", settings.alpha)):
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"`{option}` must be a finite number, got {value}", where=option)
    if learning_rate is not None and learning_rate <= 0:
        raise ConfigError(
            f"`--learning-rate` must be greater than 0, got {learning_rate:g}",
            where="--learning-rate",
            next_step="leave it out for the learning rate of the trial",
        )
    return Compression(
        parent=record.number,
        flops=_target(settings.flops, record.flops),
        importance=settings.importance,
        teacher=settings.teacher,
        alpha=settings.alpha,
        learning_rate=learning_rate or record.candidate.learning_rate or train.learning_rate,
        seed=config.seed if settings.seed is None else settings.seed,
    )


def _target(text: str, flops: int) -> float:
    """Return the largest number of FLOPs."""
    share = _SHARE.fullmatch(text)
    amount = 0.0
    if share is not None:
        amount = float(share[1]) * flops
    else:
        with suppress(ValueError):
            limit = parse_limit(text)
            amount = 0.0 if limit.reference else limit.amount
    if amount <= 0:
        raise ConfigError(
            f"`--flops` must be a share of the trial's FLOPs or a number, got {text!r}",
            where="--flops",
            allowed=["0.5x", "300M", "1.2G"],
        )
    return amount


def _name(compression: Compression, epochs: int) -> str:
    """Return the folder of an unfinished compression, which depends on all settings."""
    text = json.dumps([asdict(compression), epochs], sort_keys=True)
    return f"trial{compression.parent}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _move(folder: RunDirectory, run: RunDirectory, number: int) -> None:
    """Move the files of a compressed trial to the folder of its number."""
    weights = folder.weights(0)
    internal = {weights, *(folder.trial(0) / name for name in (PRUNED, "record.json"))}
    internal.add(folder.checkpoint(0))
    logs = [file for file in sorted(folder.trial(0).glob("*")) if file not in internal]
    run.trial(number).mkdir(parents=True, exist_ok=True)
    for source in [*logs, weights]:  # weights last: their presence means complete
        if source.is_file():
            target = source.replace(run.trial(number) / source.name)
            if target in (run.history(number), run.weights(number)):
                run.upload(target)
    shutil.rmtree(folder.path)


def _make(
    session: Session,
    folder: RunDirectory,
    record: TrialRecord,
    compression: Compression,
    epochs: int,
    progress: SearchProgress,
) -> TrialRecord:
    """Prune and fine-tune; write weights, history and record to the folder."""
    from mtlsearch.training import Checkpointing, resolve_train_config, save_weights, train

    evaluator = _evaluator(session, folder, compression.seed, epochs)
    pruned = folder.trial(0) / PRUNED
    if not pruned.is_file():
        progress.note("pruning the network")
        save_weights(_pruned_network(session, record, compression, progress), pruned)
    network = load_network(session, record, pruned)
    cost = network.cost
    config = resolve_train_config(
        evaluator.config.train, evaluator.config.data.image_size, evaluator.device
    )
    network = network.to(evaluator.device)
    candidate = replace(
        record.candidate, learning_rate=compression.learning_rate, distillation=None
    )
    # An interval of 0 seconds: a checkpoint after each epoch, unless saving takes long.
    checkpointing = Checkpointing(epochs, folder.checkpoint(0), 0.0)
    job = replace(
        evaluator.job(candidate, network, config, checkpointing=checkpointing),
        auxiliary_loss=_distillation(session, folder, record, network, compression),
    )
    progress.trial_started(
        record.number, record.plan, epochs * evaluator.data.train_steps(config.batch_size)
    )
    with evaluator.log(
        *(0, candidate, progress, cost),
        {"parent": compression.parent, "teacher": compression.teacher},
    ) as log:
        result = train(job, log)
        save_weights(network, folder.weights(0))
        log.end("complete")
    compressed = replace(
        record,
        number=0,
        baseline=None,
        parameters=cost.parameters,
        flops=cost.flops,
        results=evaluator.results(result.epochs[-1]),
        rung_results={},
        epochs=epochs,
        seconds=result.seconds,
        note=result.note,
        latency=None,
        over_limits="",
        val_images=evaluator.data.size("val"),
        basis=None,
        compression=compression,
    )
    write_retrained(folder, compressed)
    return compressed


def _evaluator(session: Session, folder: RunDirectory, seed: int, epochs: int) -> TrainingEvaluator:
    """Return an evaluator with the seed and the epochs of the fine-tuning, and without rungs."""
    evaluator = session.evaluator
    train = evaluator.config.train.model_copy(update={"epochs": epochs})
    search = evaluator.config.search.model_copy(update={"early_stopping": None})
    config = evaluator.config.model_copy(update={"seed": seed, "train": train, "search": search})
    return replace(
        evaluator,
        config=config,
        data=session.data.with_seed(seed),
        run=folder,
        teacher_run=evaluator.run,
    )


def _pruned_network(
    session: Session, record: TrialRecord, compression: Compression, progress: SearchProgress
) -> MultiTaskNetwork:
    from mtlsearch.models import prune_network

    network = load_trial(session, record)
    backbone = record.candidate.backbone or session.config.backbone.names[0]
    is_taylor = compression.importance == "taylor"
    pruned = prune_network(
        network,
        compression.flops,
        "taylor" if is_taylor else "weights",
        _gradients(session, record, network) if is_taylor else (),
        backbone=backbone,
    )
    progress.note(
        f"{pruned.num_removed} of {pruned.num_channels} channels removed, "
        f"{pruned.before.flops / 1e9:.3g} to {pruned.after.flops / 1e9:.3g} G FLOPs, "
        f"{pruned.before.parameters / 1e6:.3g} to {pruned.after.parameters / 1e6:.3g} M parameters"
    )
    return network


def _gradients(session: Session, record: TrialRecord, network: MultiTaskNetwork) -> Iterator[None]:
    from mtlsearch.training import batch_gradients

    evaluator = session.evaluator
    batches = session.data.train_batches(0, session.config.train.batch_size)
    return batch_gradients(
        network,
        evaluator.task_by_name,
        islice(batches, NUM_BATCHES),
        evaluator.label_by_task,
        record.candidate.loss_weights or dict.fromkeys(evaluator.tasks, 1.0),
    )


def _distillation(
    session: Session,
    folder: RunDirectory,
    record: TrialRecord,
    network: MultiTaskNetwork,
    compression: Compression,
) -> AuxiliaryLoss | None:
    """Return the distance from the features of the teacher; None without a teacher."""
    from mtlsearch.training import distillation_loss

    if compression.teacher == "none":
        return None
    evaluator = session.evaluator
    if compression.teacher == "independent":
        number = find_teacher(evaluator.run, session.config)
        records = read_view(evaluator.run.path, session.config).records
        teacher_record = next(other for other in records if other.number == number)
        names = session.config.backbone.names
        require_teacher_backbone(
            record.candidate.backbone or names[0], teacher_record.candidate.backbone or names[0]
        )
    else:
        teacher_record = record
    teacher = load_trial(session, teacher_record).to(evaluator.device)
    return distillation_loss(network, compression.alpha, teacher)
