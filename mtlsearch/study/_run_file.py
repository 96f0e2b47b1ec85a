"""The run file of a run directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mtlsearch.config import DATA_ROOT, STORAGE_PASSWORD, LoadedRun, Override, load_run
from mtlsearch.study._run_directory import RunDirectory


def read_run(
    out: Path, *, plugins: Sequence[Path] = (), overrides: Sequence[Override] = ()
) -> LoadedRun:
    """Load the run file of a run directory; load no plugin.

    Args:
        out: run directory.
        plugins: additional plugin folders.
        overrides: values that replace those of the run file, such as a new folder of the data.

    Returns:
        The run file. The environment contains the password of the storage. Its folder of the data
        replaces the stored one only if that does not exist, such as after the data moved.

    Raises:
        RunError: the folder is not a run directory.
    """
    run = RunDirectory(out)
    run.require()
    env = {STORAGE_PASSWORD: os.environ.get(STORAGE_PASSWORD, "")}
    loaded = load_run(run.config, overrides, env=env, plugins=plugins)
    root = os.environ.get(DATA_ROOT)
    if not root or loaded.config.data.root.is_dir():
        return loaded
    return load_run(run.config, overrides, env={**env, DATA_ROOT: root}, plugins=plugins)
