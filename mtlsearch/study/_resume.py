"""Whether a run directory is one that a search can go on in."""

from __future__ import annotations

from pathlib import Path

from mtlsearch.config import RunConfig, difference, hide_password, load_run
from mtlsearch.errors import RunError
from mtlsearch.study._run_directory import RunDirectory
from mtlsearch.study._study import known_trials

RESUMABLE_CHANGES = (
    "search.trials",
    "search.keep_weights",
    "search.confirm",
    "data.num_workers",
    "data.cache",
    "plugins",
)
"""Keys that may change when a run goes on: none of them changes what a trial measures."""


RUN_FILES = (".lock", "run.yaml", "study.journal", "study.name", "trials", "affinity")
"""One of these is in every folder that a search or an affinity has written to."""

ALLOWED_EXTRAS = (".yaml", ".yml", ".log", ".out", ".err", ".txt")
"""Suffixes of what people keep beside a run: its run file, and what the search said."""


def check_run_directory(run: RunDirectory) -> None:
    """Be sure that no other folder, such as one of data, is taken for a run's; writes nothing.

    A folder is good if it is new, was a run's before, or holds only what people keep beside a
    run: hidden files, run files and logs.

    Raises:
        RunError: it holds something else.
    """
    if not run.path.is_dir() or any((run.path / name).exists() for name in RUN_FILES):
        return
    entries = sorted(run.path.iterdir())
    others = [at.name for at in entries if not (at.name.startswith(".") or _is_beside(at))]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise RunError(
            f"no search was run in this folder, and it holds {', '.join(others[:3])}{more}",
            where=str(run.path),
            next_step="give --out a folder of its own; a new one is made",
        )


def _is_beside(entry: Path) -> bool:
    return entry.suffix in ALLOWED_EXTRAS and entry.is_file()


def require_same_search(run: RunDirectory, config: RunConfig) -> None:
    """Be sure that the folder holds no other search: trials of two can not be compared.

    Whoever asks holds the run. Nothing is written.

    Args:
        run: the run's directory.
        config: the run file to search by.

    Raises:
        RunError: the search there has other settings, nobody can tell which, or there are
            folders of trials that its study has lost.
    """
    if run.config.is_file():
        _refuse_other_settings(run, config)
    known, folders = known_trials(run, config), run.trial_numbers()
    if not run.config.is_file() and (known or folders):
        raise RunError(
            "trials were run in this folder, and the file that says with which settings is gone",
            where=str(run.config),
            next_step="put it back, or give another folder with --out",
        )
    # A trial is in the study before it has a folder, however a search is killed.
    if lost := [run.trial(number).name for number in folders if number not in known]:
        url = config.search.storage
        study = run.journal.name if url is None else hide_password(url)
        raise RunError(
            f"there are folders of trials that {study} does not know: {', '.join(lost)}",
            where=str(run.trial(folders[0]).parent),
            next_step=f"put {study} back as it was, move these folders away, or give another "
            "folder with --out",
        )


def _refuse_other_settings(run: RunDirectory, config: RunConfig) -> None:
    differing = difference(load_run(run.config).config, config)
    changed = [key for key in differing if not key.startswith(RESUMABLE_CHANGES)]
    if changed:
        raise RunError(
            f"this folder holds a search with other settings: {', '.join(changed)}",
            where=str(run.path),
            next_step="give another folder with --out, or take the changes back",
        )
