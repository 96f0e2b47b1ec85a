"""One candidate of a run trained at length."""

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
    """How one candidate was trained at length.

    Attributes:
        name: the folder below ``RUN/trained``: ``trial3-epochs50-seed0``.
        record: what came of it, under its trial's number.
        deltas: Δm in percent by name, of it and of all that was trained for as many epochs
            from the same seed, against the ``independent`` among them; without any where there
            is none, and without one that has no Δm.
        why: why it has no Δm, for people; empty if it has.
        compared: whether ``independent`` was trained alike.
    """

    name: str
    record: TrialRecord
    deltas: Mapping[str, float]
    reason: str
    compared: bool


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
    """Train a trial's candidate for so many epochs and keep its weights in the run directory.

    What was trained so under that name before is not trained again.

    Args:
        session: the run.
        run: its directory.
        record: the trial whose candidate is trained.
        epochs: passes over the training split.
        seed: of weights, order and augmentation.
        progress: watches.
        name: what to keep it by; by default trial, epochs and seed.

    Raises:
        ConfigError: the name is no name of a folder.
        RunError: there is another one of that name already.
        TrainingError: it cannot be trained.
    """
    kept = find_long_training(run, record, epochs=epochs, seed=seed, name=name)
    if kept is not None:
        return kept
    name = name or _name(record, epochs, seed)
    folder = run.long_training(name)
    found = retrain(
        retraining_evaluator(session, folder, seed=seed, epochs=epochs), record, progress
    )
    if found.state != "complete":
        raise TrainingError(found.reason, where=f"trial {record.number}")
    (folder.path / "seed").write_text(str(seed), encoding="utf-8")
    write_retrained(folder, found)
    return _compared(run, name, found, seed)


def find_long_training(
    run: RunDirectory, record: TrialRecord, *, epochs: int, seed: int, name: str | None = None
) -> LongTraining | None:
    """A trial's candidate as it was trained so before; None where it was not.

    Args:
        run: the run directory.
        record: the trial.
        epochs: passes over the training split.
        seed: of weights, order and augmentation.
        name: what it was to be kept by; by default trial, epochs and seed.

    Raises:
        ConfigError: the name is no name of a folder.
        RunError: there is another network of that name.
    """
    name = name or _name(record, epochs, seed)
    if not _is_name(name):
        raise ConfigError(
            f"{name!r} is no name", where="--name", allowed=["letters, digits, . - and _"]
        )
    for kept in read_retrained(run.long_training(name)):
        its_seed = _seed(run, name)
        if (kept.number, kept.epochs, its_seed) == (record.number, epochs, seed):
            return _compared(run, name, kept, seed)
        raise RunError(
            f"there is another network called {name} already: "
            f"trial {kept.number}, epochs {kept.epochs}, seed {its_seed}",
            where=str(run.long_training(name).path),
            next_step=f"`mtlsearch export {run.path} --trained {name}` takes it; "
            "--name gives another name",
        )
    return None


def load_long_training(run: RunDirectory, name: str) -> TrialRecord:
    """What was trained at length under a name.

    Raises:
        RunError: nothing was.
    """
    found = read_retrained(run.long_training(name)) if _is_name(name) else []
    if not found:
        raise RunError(
            f"nothing was trained at length as {name!r}",
            where=str(run.path),
            allowed=_names(run),
            next_step=f"`mtlsearch train {run.path} --trial N --epochs E` trains a trial at length",
        )
    return found[0]


def _compared(run: RunDirectory, name: str, record: TrialRecord, seed: int) -> LongTraining:
    alike = _alike(run, record.epochs, seed)
    reference = reference_of(alike.values())
    found = {at: delta_m(other.results, reference) for at, other in alike.items()}
    deltas = {at: value for at, (value, _) in found.items() if value is not None}
    return LongTraining(name, record, deltas, found[name][1], compared=bool(reference))


def _alike(run: RunDirectory, epochs: int, seed: int) -> dict[str, TrialRecord]:
    """What was trained for as many epochs from the same seed, by name."""
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
    return sorted(file.parent.name for file in run.long_training("any").path.parent.glob("*/seed"))


def _name(record: TrialRecord, epochs: int, seed: int) -> str:
    return f"trial{record.number}-epochs{epochs}-seed{seed}"


def _is_name(name: str) -> bool:
    return re.fullmatch(r"\w[\w.-]*", name) is not None
