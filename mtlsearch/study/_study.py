"""The study of a run directory: opened for a search, or only read."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from mtlsearch.config import RunConfig, hide_password
from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write
from mtlsearch.results import DELTA_M, Objective, TrialRecord
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._storage import open_storage, would_create_file
from mtlsearch.study._trial_store import TrialStore
from mtlsearch.study._view import StudyView
from mtlsearch.study._worker import FileHeartbeats, recent_workers

MIN_TRIALS = 8
"""Number of complete trials with params below which importances are not computed."""

JOURNAL_STUDY = "mtlsearch"
"""Name of the study in a journal file, which contains no other study."""


def open_store(
    run: RunDirectory,
    config: RunConfig,
    storage: BaseStorage,
    objectives: Sequence[Objective] = (DELTA_M,),
    study: str | None = None,
) -> TrialStore:
    """Open the study of a run directory; create it if it does not exist.

    A storage URL may contain several studies, and run directories may have equal names. The
    name of the study is therefore the folder name with a random suffix, kept in ``study.name``.

    Args:
        run: run directory.
        config: its run file.
        storage: result of :func:`open_run_storage` for both.
        objectives: objectives of a study that is created.
        study: name of the study in the storage; None for the one in ``study.name``, or a new one.

    Returns:
        The trial store, which may be empty.

    Raises:
        RunError: the run directory belongs to another study.
    """
    name = _study_name(run, config)
    if study is not None and name not in (None, study):
        raise RunError(
            f"the run directory belongs to the study {name!r}, not to {study!r}",
            where=str(run.study_name),
            next_step="set --out to another folder",
        )
    if name is None:
        name = study or f"{run.path.resolve().name}-{uuid.uuid4().hex[:8]}"
        with atomic_write(run.study_name) as temporary:
            temporary.write_text(name, encoding="utf-8")
    return TrialStore(storage, name, objectives)


def stored_run_file(url: str, study: str) -> str:
    """Return the run file that a study in a database contains.

    Args:
        url: storage URL.
        study: name of the study.

    Returns:
        YAML text with absolute paths of the host that started the search.

    Raises:
        RunError: the database cannot be opened or has no such study.
    """
    storage = open_storage(url, Path("study.journal"))
    if not TrialStore.is_in(storage, study):
        raise RunError(
            f"the database contains no study {study!r}",
            where=f"--storage {hide_password(url)}",
            allowed=sorted(optuna.get_all_study_names(storage)),
            next_step="pass the run file too, with which the first worker starts the study",
        )
    text = TrialStore(storage, study).run_file
    if text is None:
        raise RunError(
            f"the study {study!r} contains no run file: another program has created it",
            where=f"--storage {hide_password(url)}",
            next_step="pass the run file too",
        )
    return text


def open_run_storage(
    run: RunDirectory,
    config: RunConfig,
    on_outage: Callable[[str], None] | None = None,
    *,
    has_params: bool = True,
) -> BaseStorage:
    """Open the storage of a run's study.

    Args:
        run: run directory, which contains the journal unless ``search.storage`` is set.
        config: its run file.
        on_outage: called with a message before each further try when the database does not
            answer; None raises an error at once.
        has_params: whether a journal is read with the params of its trials, see
            :func:`open_storage`.

    Returns:
        An Optuna storage.

    Raises:
        RunError: the storage cannot be opened.
    """
    return open_storage(config.search.storage, run.journal, on_outage, has_params=has_params)


def with_artifacts(run: RunDirectory, url: str | None, digest: str) -> RunDirectory:
    """Return a run directory with the bucket of ``search.artifacts``.

    Args:
        run: run directory.
        url: ``search.artifacts`` of its run file.
        digest: ``settings_digest`` of its run file.

    Returns:
        The same directory if no bucket is set.
    """
    if url is None:
        return run
    from mtlsearch.study._artifacts import BucketArtifacts

    return replace(run, artifacts=BucketArtifacts(url, run.path, run.study_name, digest))


def read_records(out: Path, config: RunConfig) -> list[TrialRecord]:
    """Return all trials of a run directory by number; write nothing.

    It is safe to call while a search is running. Trials in state ``running`` whose worker is dead
    are returned as ``interrupted``.

    Args:
        out: run directory.
        config: its run file.

    Returns:
        One record per trial, in the order of their numbers; empty before the first trial.

    Raises:
        RunError: the folder is not a run directory, or the storage cannot be opened.
    """
    return list(read_view(out, config).records)


def read_view(out: Path, config: RunConfig) -> StudyView:
    """Return all trials of a run directory with their second seeds; write nothing.

    Trials in state ``running`` whose worker is dead are returned as ``interrupted``.

    Args:
        out: run directory.
        config: its run file.

    Returns:
        The study with Δm as its objective; empty before the first trial.

    Raises:
        RunError: the folder is not a run directory, or the storage cannot be opened.
    """
    run = RunDirectory(out)
    run.require()
    store = _existing_store(run, config)
    return StudyView() if store is None else store.read(run.path)


def read_importances(out: Path, config: RunConfig) -> tuple[dict[str, float], int]:
    """Return how much each param explains which trials are among the best, by PED-ANOVA.

    Args:
        out: run directory.
        config: its run file.

    Returns:
        Importance by param, the largest first, with the sum 1; and the number of complete trials
        with params. The importances are empty for fewer than eight trials.

    Raises:
        RunError: the folder is not a run directory, or the storage cannot be opened.
    """
    run = RunDirectory(out)
    run.require()
    store, name = _existing_store(run, config, has_params=True), _study_name(run, config)
    if store is None or name is None:
        return {}, 0
    count = sum(trial.state is TrialState.COMPLETE and bool(trial.params) for trial in store.trials)
    if count < MIN_TRIALS:
        return {}, count
    from optuna.importance import get_param_importances  # imports scikit-learn: a second

    study = optuna.load_study(study_name=name, storage=open_run_storage(run, config))
    return get_param_importances(study), count


def read_stored(
    run: RunDirectory, config: RunConfig
) -> tuple[frozenset[int], Mapping[str, Mapping[str, Any]] | None]:
    """Return which trials a run's study contains and on which data they were trained.

    Args:
        run: run directory, in which nothing is written.
        config: its run file.

    Returns:
        Trial numbers, empty if the study does not exist yet; and the digest of the data, None
        before it was recorded.
    """
    store = _existing_store(run, config)
    if store is None:
        return frozenset(), None
    return frozenset(trial.number for trial in store.trials), store.data_digest


def require_unused(run: RunDirectory, config: RunConfig) -> None:
    """Check that no search and no worker uses a run directory; write nothing.

    Args:
        run: run directory.
        config: its run file.

    Raises:
        RunError: a process holds the lock, or a worker of the study seems to be alive.
    """
    if config.search.storage is None:  # even if the journal is damaged
        alive = recent_workers(run.path, FileHeartbeats(run.path))
    else:
        store = _existing_store(run, config)
        alive = frozenset() if store is None else store.living_workers(run.path)
    if run.in_use or alive:
        raise RunError(
            "a search uses this run directory",
            where=str(run.path),
            next_step="stop the search first",
        )


def _existing_store(
    run: RunDirectory, config: RunConfig, *, has_params: bool = False
) -> TrialStore | None:
    """Open the study of a run only to read it, and create nothing; None if it does not exist."""
    name, url = _study_name(run, config), config.search.storage
    is_new = not run.journal.is_file() if url is None else would_create_file(url, run.journal)
    if name is None or is_new:
        return None
    storage = open_run_storage(run, config, has_params=has_params)
    return TrialStore(storage, name) if TrialStore.is_in(storage, name) else None


def _study_name(run: RunDirectory, config: RunConfig) -> str | None:
    """Return the name of the run's study; None if it has no name yet."""
    if config.search.storage is None:
        return JOURNAL_STUDY
    return run.study_name.read_text(encoding="utf-8") if run.study_name.is_file() else None
