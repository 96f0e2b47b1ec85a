"""Retraining: the candidate of a trial trained again, in a directory of its own."""

from __future__ import annotations

import json
import time
from dataclasses import fields, replace
from pathlib import Path

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.files import atomic_write, load_json
from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord
from mtlsearch.runs._session import Session, load_cut_backbone
from mtlsearch.runs._training_evaluator import TrainingEvaluator
from mtlsearch.search import Evaluator, Measurement, SearchProgress
from mtlsearch.study import RunDirectory


def retraining_evaluator(
    session: Session, folder: RunDirectory, *, seed: int, epochs: int | None = None
) -> TrainingEvaluator:
    """Return an evaluator that trains with another seed or for more epochs.

    The images of the training and the validation split stay the same.

    Args:
        session: the opened run.
        folder: directory for weights and histories.
        seed: seed of weights, order and augmentation.
        epochs: number of epochs; None for ``train.epochs``.

    Returns:
        The evaluator, whose teacher is that of the run.
    """
    evaluator = session.evaluator
    train = evaluator.config.train
    train = train.model_copy(update={"epochs": epochs or train.epochs})
    config = evaluator.config.model_copy(update={"seed": seed, "train": train})
    cut_backbones = evaluator.cut_backbones
    if seed != evaluator.config.seed:
        cut_backbones = {name: load_cut_backbone(config, name) for name in cut_backbones}
    return replace(
        evaluator,
        config=config,
        data=session.data.with_seed(seed),
        cut_backbones=cut_backbones,
        run=folder,
        teacher_run=evaluator.teacher_run or evaluator.run,
        _head_costs={},
    )


class _WithoutWeights(TrainingEvaluator):
    """Evaluator that deletes the weights of a training after it.

    The weights of a trial are those of the run's own seed. The best of several seeds would be
    chosen by luck.
    """

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """See :class:`Evaluator`."""
        measurement = TrainingEvaluator.measure(self, number, candidate, progress, epochs)
        self.run.remove(self.run.weights(number))
        return measurement


def without_weights(evaluator: TrainingEvaluator) -> TrainingEvaluator:
    """Return an evaluator that deletes the weights of each training after it.

    Args:
        evaluator: result of :func:`retraining_evaluator`.

    Returns:
        An evaluator with the same settings.
    """
    values = {item.name: getattr(evaluator, item.name) for item in fields(evaluator)}
    return _WithoutWeights(**values)


def retrain(evaluator: Evaluator, record: TrialRecord, progress: SearchProgress) -> TrialRecord:
    """Train the candidate of a trial and return the record with the new results.

    Args:
        evaluator: trains the candidate.
        record: the trial.
        progress: callbacks for steps and epochs.

    Returns:
        A record with the same number, in state ``complete`` or ``failed``.
    """
    start = time.monotonic()
    try:
        measurement = evaluator.measure(record.number, record.candidate, progress)
    except TrainingError as error:
        seconds = time.monotonic() - start
        return replace(
            record, state="failed", results={}, epochs=0, seconds=seconds, reason=error.what
        )
    return replace(
        record,
        state="complete",
        results=measurement.results,
        epochs=measurement.epochs,
        seconds=measurement.seconds,
        reason="",
        note="; ".join(text for text in (measurement.note, measurement.over_limits) if text),
        val_images=measurement.val_images,
        kept=measurement.kept,
    )


def write_retrained(folder: RunDirectory, record: TrialRecord) -> None:
    """Write the record of a retrained trial to ``record.json``, atomically.

    Args:
        folder: directory of a seed or of a long training.
        record: the record.
    """
    with atomic_write(folder.trial(record.number) / "record.json") as temporary:
        temporary.write_text(json.dumps(record.to_json(), indent=1), encoding="utf-8")


def read_retrained(folder: RunDirectory) -> list[TrialRecord]:
    """Return the records of all retrained trials in a directory.

    Args:
        folder: directory of a seed or of a long training; it may be missing.

    Returns:
        Records by trial number.

    Raises:
        RunError: a file is not valid JSON.
    """
    files = sorted((folder.path / "trials").glob("*/record.json"))
    return [_read(file) for file in files]


def _read(file: Path) -> TrialRecord:
    try:
        value = load_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(
            f"the record of a trial is not valid JSON ({error})",
            where=str(file),
            next_step="delete the file",
        ) from error
    return TrialRecord.from_json(value)
