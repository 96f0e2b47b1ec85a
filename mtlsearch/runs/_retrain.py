"""A trial trained again: on another seed, for more epochs, in a folder of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.files import atomic_write
from mtlsearch.results import TrialRecord
from mtlsearch.runs._session import Session, cut
from mtlsearch.runs._training_evaluator import TrainingEvaluator
from mtlsearch.search import Evaluator, SearchProgress
from mtlsearch.study import RunDirectory


def retraining_evaluator(
    session: Session, folder: RunDirectory, *, seed: int, epochs: int | None = None
) -> TrainingEvaluator:
    """What trains the run's candidates under another seed, or for more epochs.

    Weights, order and augmentation are drawn by the seed; which images are for training and
    which for validation stays as the run has it.

    Args:
        session: the run.
        folder: where weights and histories go.
        seed: of weights, order and augmentation.
        epochs: how many; None for as many as the run's trials have.
    """
    own = session.evaluator
    budget = own.config.train.model_copy(update={"epochs": epochs or own.config.train.epochs})
    config = own.config.model_copy(update={"seed": seed, "train": budget})
    cuts = own.cuts if seed == own.config.seed else {name: cut(config, name) for name in own.cuts}
    data = session.data.reseeded(seed)
    return replace(
        own,
        config=config,
        data=data,
        cuts=cuts,
        run=folder,
        taught_by=own.taught_by or own.run,
        _head_costs={},
    )


def retrain(evaluator: Evaluator, record: TrialRecord, progress: SearchProgress) -> TrialRecord:
    """The record of a trial as it comes out this time, under the same number."""
    began = time.monotonic()
    try:
        found = evaluator.measure(record.number, record.candidate, progress)
    except TrainingError as error:
        seconds = time.monotonic() - began
        return replace(
            record, state="failed", results={}, epochs=0, seconds=seconds, reason=error.what
        )
    return replace(
        record,
        state="complete",
        results=found.results,
        epochs=found.epochs,
        seconds=found.seconds,
        reason="",
        note=found.note,
        val_images=found.val_images,
    )


def write_retrained(folder: RunDirectory, record: TrialRecord) -> None:
    """Keep a record; it appears whole or not at all."""
    with atomic_write(_file(folder, record.number)) as partial:
        partial.write_text(json.dumps(record.to_json(), indent=1), encoding="utf-8")


def read_retrained(folder: RunDirectory) -> list[TrialRecord]:
    """What was kept in a folder, by number.

    Raises:
        RunError: a file cannot be read.
    """
    files = sorted((folder.path / "trials").glob("*/record.json"))
    return [record for file in files for record in _read(file)]


def _file(folder: RunDirectory, number: int) -> Path:
    return folder.trial(number) / "record.json"


def _read(file: Path) -> Iterator[TrialRecord]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(
            f"this is no trial's record ({error})", where=str(file), next_step="delete it"
        ) from error
    yield TrialRecord.from_json(value)
