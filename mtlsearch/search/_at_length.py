"""One candidate of a run trained at length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mtlsearch.errors import ConfigError, RunError, TrainingError
from mtlsearch.record import TrialRecord, delta_m, reference_of
from mtlsearch.search._again import again, read_again, train_again, write_again
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search._run_directory import RunDirectory
from mtlsearch.search._session import Session


@dataclass(frozen=True, slots=True)
class AtLength:
    """How one candidate was trained at length.

    Attributes:
        name: the folder below ``RUN/trained``: ``trial3-epochs50-seed0``.
        record: what came of it, under its trial's number.
        delta_m: in percent, against ``independent`` under the same epochs and seed; None
            where that was not trained.
    """

    name: str
    record: TrialRecord
    delta_m: float | None


def train_at_length(
    session: Session,
    run: RunDirectory,
    record: TrialRecord,
    *,
    epochs: int,
    seed: int,
    progress: SearchProgress,
    name: str | None = None,
) -> AtLength:
    """Train a trial's candidate for so many epochs and keep its weights in the run directory.

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
        RunError: there is one of that name already.
        TrainingError: it cannot be trained.
    """
    name = _free(run, name or f"trial{record.number}-epochs{epochs}-seed{seed}")
    folder = run.trained(name)
    found = train_again(again(session, folder, seed=seed, epochs=epochs), record, progress)
    if found.state != "complete":
        raise TrainingError(found.why, where=f"trial {record.number}")
    (folder.path / "seed").write_text(str(seed), encoding="utf-8")
    write_again(folder, found)
    value, _ = delta_m(found.results, reference_of(_alike(run, epochs, seed)))
    return AtLength(name, found, value)


def trained_record(run: RunDirectory, name: str) -> TrialRecord:
    """What was trained at length under a name.

    Raises:
        RunError: nothing was.
    """
    found = read_again(run.trained(name)) if _is_name(name) else []
    if not found:
        raise RunError(
            f"nothing was trained at length as {name!r}",
            where=str(run.path),
            allowed=_names(run),
            next_step=f"`mtlsearch train {run.path} --trial N --epochs E` trains a trial at length",
        )
    return found[0]


def _alike(run: RunDirectory, epochs: int, seed: int) -> Sequence[TrialRecord]:
    """What was trained for as many epochs from the same seed."""
    found: list[TrialRecord] = []
    for name in _names(run):
        folder = run.trained(name)
        if (folder.path / "seed").read_text(encoding="utf-8") == str(seed):
            found += [record for record in read_again(folder) if record.epochs == epochs]
    return found


def _names(run: RunDirectory) -> list[str]:
    return sorted(file.parent.name for file in run.trained("any").path.parent.glob("*/seed"))


def _is_name(name: str) -> bool:
    return re.fullmatch(r"\w[\w.-]*", name) is not None


def _free(run: RunDirectory, name: str) -> str:
    if not _is_name(name):
        raise ConfigError(
            f"{name!r} is no name", where="--name", allowed=["letters, digits, . - and _"]
        )
    if read_again(run.trained(name)):
        raise RunError(
            f"there is a network called {name} already",
            where=str(run.trained(name).path),
            next_step=f"`mtlsearch export {run.path} --trained {name}` takes it; "
            "--name gives another name",
        )
    return name
