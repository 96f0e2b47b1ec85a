"""Long training: one candidate of a run trained for more epochs after the search."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mtlsearch.errors import ConfigError, RunError, TrainingError
from mtlsearch.results import TrialRecord, delta_m, reference_of
from mtlsearch.runs._retrain import read_retrained, retrain, retraining_evaluator, write_retrained
from mtlsearch.runs._session import Session
from mtlsearch.search import SearchProgress
from mtlsearch.study import RunDirectory


@dataclass(frozen=True, slots=True)
class LongTraining:
    """The result of a long training.

    Attributes:
        name: folder in ``RUN/long_training``, such as ``trial3-epochs50-seed0``.
        record: the results, with the number of the trial.
        deltas: Δm in percent by name, of all long trainings with the same epochs and seed.
            The reference is the ``independent`` baseline among them. Empty without a reference.
        reason: why this long training has no Δm; empty if it has one.
        has_reference: whether the ``independent`` baseline has a long training with the same
            epochs and seed.
    """

    name: str
    record: TrialRecord
    deltas: Mapping[str, float]
    reason: str
    has_reference: bool


def train_longer(
    session: Session,
    run: RunDirectory,
    record: TrialRecord,
    *,
    epochs: int,
    seed: int,
    progress: SearchProgress,
    name: str | None = None,
) -> LongTraining:
    """Train the candidate of a trial for more epochs and write its weights.

    A finished long training of the same name, epochs and seed is returned without training.

    Args:
        session: the opened run.
        run: the run directory.
        record: the trial whose candidate is trained.
        epochs: number of epochs.
        seed: seed of weights, order and augmentation.
        progress: callbacks for steps and epochs.
        name: name of the long training; None for ``trialN-epochsE-seedS``.

    Returns:
        The long training.

    Raises:
        ConfigError: the name contains other characters than letters, digits, ``.``, ``-``, ``_``.
        RunError: another long training has this name.
        TrainingError: the candidate cannot be trained.
    """
    existing = find_long_training(run, record, epochs=epochs, seed=seed, name=name)
    if existing is not None:
        return existing
    name = name or _default_name(record, epochs, seed)
    folder = run.long_training(name)
    evaluator = retraining_evaluator(session, folder, seed=seed, epochs=epochs)
    retrained = retrain(evaluator, record, progress)
    if retrained.state != "complete":
        raise TrainingError(retrained.reason, where=f"trial {record.number}")
    (folder.path / "seed").write_text(str(seed), encoding="utf-8")
    write_retrained(folder, retrained)
    return _with_deltas(run, name, retrained, seed)


def find_long_training(
    run: RunDirectory, record: TrialRecord, *, epochs: int, seed: int, name: str | None = None
) -> LongTraining | None:
    """Return a finished long training of a trial; None if it does not exist.

    Args:
        run: the run directory.
        record: the trial.
        epochs: number of epochs.
        seed: seed of weights, order and augmentation.
        name: name of the long training; None for ``trialN-epochsE-seedS``.

    Returns:
        The long training, or None.

    Raises:
        ConfigError: the name contains other characters than letters, digits, ``.``, ``-``, ``_``.
        RunError: another long training has this name.
    """
    name = name or _default_name(record, epochs, seed)
    if not _is_name(name):
        raise ConfigError(
            f"the name {name!r} contains characters that are not allowed",
            where="--name",
            allowed=["letters, digits, . - and _"],
        )
    for existing in read_retrained(run.long_training(name)):
        existing_seed = _seed(run, name)
        if (existing.number, existing.epochs, existing_seed) == (record.number, epochs, seed):
            return _with_deltas(run, name, existing, seed)
        raise RunError(
            f"another long training has the name {name}: "
            f"trial {existing.number}, epochs {existing.epochs}, seed {existing_seed}",
            where=str(run.long_training(name).path),
            next_step="set --name to another name, or export the existing one with "
            f"`mtlsearch export {run.path} --retrained {name}`",
        )
    return None


def load_long_training(run: RunDirectory, name: str) -> TrialRecord:
    """Return the record of a finished long training.

    Args:
        run: the run directory.
        name: name of the long training.

    Returns:
        The record, with the number of the trial.

    Raises:
        RunError: no long training has this name.
    """
    records = read_retrained(run.long_training(name)) if _is_name(name) else []
    if not records:
        raise RunError(
            f"the long training {name!r} does not exist",
            where=str(run.path),
            allowed=_names(run),
            next_step=f"run `mtlsearch train-longer {run.path} --trial N --epochs E` to create one",
        )
    return records[0]


def _with_deltas(run: RunDirectory, name: str, record: TrialRecord, seed: int) -> LongTraining:
    comparable = _comparable(run, record.epochs, seed)
    reference = reference_of(comparable.values())
    delta_and_reason = {
        key: delta_m(retrained.results, reference) for key, retrained in comparable.items()
    }
    deltas = {key: value for key, (value, _) in delta_and_reason.items() if value is not None}
    _, reason = delta_and_reason[name]
    return LongTraining(name, record, deltas, reason, has_reference=bool(reference))


def _comparable(run: RunDirectory, epochs: int, seed: int) -> dict[str, TrialRecord]:
    """Return all long trainings with the same epochs and seed, by name."""
    return {
        name: record
        for name in _names(run)
        if _seed(run, name) == seed
        for record in read_retrained(run.long_training(name))
        if record.epochs == epochs
    }


def _seed(run: RunDirectory, name: str) -> int:
    return int((run.long_training(name).path / "seed").read_text(encoding="utf-8"))


def _names(run: RunDirectory) -> list[str]:
    return sorted(file.parent.name for file in run.long_trainings.glob("*/seed"))


def _default_name(record: TrialRecord, epochs: int, seed: int) -> str:
    return f"trial{record.number}-epochs{epochs}-seed{seed}"


def _is_name(name: str) -> bool:
    return re.fullmatch(r"\w[\w.-]*", name) is not None
