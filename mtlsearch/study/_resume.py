"""Checks of whether a search may start or resume in a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlsearch.config import (
    RunConfig,
    SearchConfig,
    describe_difference,
    difference,
    hide_password,
    is_resolved,
    load_run,
)
from mtlsearch.errors import RunError
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._study import read_stored

RESUMABLE_CHANGES = (
    "search.trials",
    "search.artifacts",
    "search.keep_weights",
    "search.max_seeds",
    "search.warm_start",
    "search.stop_when_settled",
    "search.max_failures",
    "search.trial_timeout",
    "data.num_workers",
    "data.cache",
    "train.log",
    "plugins",
    "extends.images",
)
"""Keys that may change when a search resumes: none of them changes the result of a trial."""

RUN_FILES = (".lock", "run.yaml", "study.journal", "study.name", "trials", "affinity")
"""Names of which every run directory contains at least one."""

ALLOWED_EXTRAS = (".yaml", ".yml", ".log", ".out", ".err", ".txt")
"""Suffixes of files that users keep in a run directory: run files and logs."""

MAX_NAMES = 3
"""Number of names that a message lists."""


def check_run_directory(run: RunDirectory) -> None:
    """Check that a folder is new, a run directory, or holds only run files and logs.

    A wrong ``--out`` then fails before anything is written into, for example, a data set.

    Args:
        run: folder of the search.

    Raises:
        RunError: the folder contains other files or folders, or a run file that a search
            would replace.
    """
    if run.config.is_file() and not is_resolved(run.config):
        raise RunError(
            "the run directory contains a run file that no search wrote and that this search "
            "would replace",
            where=str(run.config),
            next_step="set --out to another folder, such as "
            f"{Path('results') / run.path.resolve().name}",
        )
    if not run.path.is_dir() or any((run.path / name).exists() for name in RUN_FILES):
        return
    entries = sorted(run.path.iterdir())
    others = [entry.name for entry in entries if not _is_allowed(entry)]
    if others:
        num_more = len(others) - MAX_NAMES
        more = f" and {num_more} more" if num_more > 0 else ""
        raise RunError(
            f"folder is not a run directory: it contains {', '.join(others[:MAX_NAMES])}{more}",
            where=str(run.path),
            next_step="set --out to a new folder, which the search creates",
        )


def _is_allowed(entry: Path) -> bool:
    is_extra = entry.suffix in ALLOWED_EXTRAS and entry.is_file()
    return entry.name.startswith(".") or is_extra


def require_same_search(
    run: RunDirectory, config: RunConfig
) -> Mapping[str, Mapping[str, Any]] | None:
    """Check that a run directory holds no other search; write nothing.

    Trials of two searches cannot be compared. The caller holds the lock of the run directory.

    Args:
        run: run directory.
        config: run file of the search that starts or resumes.

    Returns:
        Digest of the data of the trials; None if none is recorded.

    Raises:
        RunError: the run directory has other settings, its ``run.yaml`` is missing, or it
            contains folders of trials that are missing in the study.
    """
    if run.config.is_file():
        _require_same_settings(run, config, (*RESUMABLE_CHANGES, "data.root"))
    (stored, digest), folders = read_stored(run, config), run.trial_numbers()
    if run.config.is_file() and digest is None:  # else the data can be compared in any folder
        _require_same_settings(run, config, RESUMABLE_CHANGES)
    if not run.config.is_file() and (stored or folders):
        raise RunError(
            "run.yaml is missing, but the run directory contains trials",
            where=str(run.config),
            next_step="restore run.yaml, or set --out to another folder",
        )
    # A trial is in the study before its folder is created, however a search is killed.
    if missing := [run.trial(number).name for number in folders if number not in stored]:
        url = config.search.storage
        study = run.journal.name if url is None else hide_password(url)
        raise RunError(
            f"{study} has no trial for these folders: {', '.join(missing)}",
            where=str(run.trial(folders[0]).parent),
            next_step=f"restore {study}, move these folders elsewhere, or set --out to another "
            "folder",
        )
    return digest


def _require_same_settings(
    run: RunDirectory, config: RunConfig, resumable: tuple[str, ...]
) -> None:
    stored = load_run(run.config).config
    differing = difference(stored, config)
    changed = [key for key in differing if not key.startswith(resumable)]
    if changed:
        values = [f"\n  {describe_difference(stored, config, key)}" for key in changed]
        raise RunError(
            f"the search in this run directory has other settings: {', '.join(changed)}"
            f"{''.join(values)}",
            where=str(run.path),
            next_step="set --out to another folder, or undo the changes",
        )


def with_stored_retention(run: RunDirectory, search: SearchConfig) -> SearchConfig:
    """Keep ``search.keep_weights`` of a run directory, unless the run file sets the key.

    A search that resumes with another default then deletes no weights that were kept.

    Args:
        run: run directory.
        search: the ``search`` section of the run file that starts or resumes.

    Returns:
        The section itself, or a copy with the stored value.
    """
    if "keep_weights" in search.model_fields_set or not run.config.is_file():
        return search
    stored = load_run(run.config).config.search.keep_weights
    if stored == search.keep_weights:
        return search
    return search.model_copy(update={"keep_weights": stored})
