"""The run file of a run directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mtlsearch.config import STORAGE_PASSWORD, LoadedRun, load_run
from mtlsearch.study._run_directory import RunDirectory


def read_run(out: Path, *, plugins: Sequence[Path] = ()) -> LoadedRun:
    """Load the run file of a run directory; load no plugin.

    Args:
        out: run directory.
        plugins: additional plugin folders.

    Returns:
        The run file with the data folder of its search, and with the password of the storage from
        the environment.

    Raises:
        RunError: the folder is not a run directory.
    """
    run = RunDirectory(out)
    run.require()
    # No other variable: a run keeps the data folder of its search.
    env = {STORAGE_PASSWORD: os.environ.get(STORAGE_PASSWORD, "")}
    return load_run(run.config, env=env, plugins=plugins)
