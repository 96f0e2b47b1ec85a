"""The study of a run directory: begun, gone on with, or only read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from optuna.storages import BaseStorage

from mtlsearch.config import RunConfig
from mtlsearch.files import atomic_write
from mtlsearch.results import DELTA_M, Objective, TrialRecord
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._storage import open_storage, would_create_file
from mtlsearch.study._trial_store import TrialStore, as_interrupted


def open_store(
    run: RunDirectory,
    config: RunConfig,
    storage: BaseStorage,
    objectives: Sequence[Objective] = (DELTA_M,),
) -> TrialStore:
    """The trials of a run, which begin here if there are none yet.

    In a storage that others may use the study bears the run directory's name and a few
    letters of its own, since many run directories are called alike.

    Args:
        run: the run's directory.
        config: its run file.
        storage: what :func:`open_run_storage` opens for them.
        objectives: what its values are, where the study begins here.
    """
    name = _study_name(run, config)
    if name is None:
        name = f"{run.path.resolve().name}-{uuid.uuid4().hex[:8]}"
        with atomic_write(run.study_name) as partial:
            partial.write_text(name, encoding="utf-8")
    return TrialStore(storage, name, objectives)


def open_run_storage(run: RunDirectory, config: RunConfig) -> BaseStorage:
    """Where a run's study is kept.

    Raises:
        RunError: it cannot be opened.
    """
    return open_storage(config.search.storage, run.journal)


def read_records(out: Path, config: RunConfig) -> list[TrialRecord]:
    """Every trial of a run, by number.

    Writes nothing, so that it disturbs no search that is under way. What a killed search left
    running is told as interrupted.

    Raises:
        RunError: there is no run in this folder.
    """
    run = RunDirectory(out)
    run.require()
    store = _begun(run, config)
    records = [] if store is None else store.records()
    return records if run.in_use else [as_interrupted(record) for record in records]


def known_trials(run: RunDirectory, config: RunConfig) -> frozenset[int]:
    """Numbers of all trials that the run's study knows; writes nothing.

    Args:
        run: the run's directory.
        config: its run file, which says where the study is.
    """
    store = _begun(run, config)
    return frozenset() if store is None else frozenset(at.number for at in store.trials)


def _begun(run: RunDirectory, config: RunConfig) -> TrialStore | None:
    """The trials of a run, only to be read; None where there are none yet."""
    name, url = _study_name(run, config), config.search.storage
    nowhere = not run.journal.is_file() if url is None else would_create_file(url, run.journal)
    if name is None or nowhere:
        return None
    storage = open_run_storage(run, config)
    return TrialStore(storage, name) if TrialStore.is_in(storage, name) else None


def _study_name(run: RunDirectory, config: RunConfig) -> str | None:
    """The name of the run's study; None where it has none yet."""
    if config.search.storage is None:
        return "mtlsearch"  # alone in a journal of its own
    return run.study_name.read_text(encoding="utf-8") if run.study_name.is_file() else None
