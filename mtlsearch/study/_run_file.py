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
        The run file. The environment replaces the folder of the data, which may have moved since
        the search, and contains the password of the storage.

    Raises:
        RunError: the folder is not a run directory.
    """
    run = RunDirectory(out)
    run.require()
    env = {name: os.environ.get(name, "") for name in (DATA_ROOT, STORAGE_PASSWORD)}
    return load_run(run.config, overrides, env=env, plugins=plugins)
