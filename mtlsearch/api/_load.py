"""``mtlsearch.load``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mtlsearch.api._run import Run
from mtlsearch.api._terms import in_python_terms


@in_python_terms
def load(run: str | os.PathLike[str], *, plugins: Sequence[str | os.PathLike[str]] = ()) -> Run:
    """Open the run directory of a search, also while the search is running.

    Loads no plugin and opens no data until a network is needed.

    Args:
        run: run directory that :func:`mtlsearch.search` or ``mtlsearch search`` wrote.
        plugins: folders with further plugins.

    Returns:
        The run.

    Raises:
        RunError: the folder is not a run directory.
        ConfigError: its run file is invalid.
    """
    from mtlsearch.study import read_run

    folder = Path(run)
    return Run(folder, read_run(folder, plugins=[Path(plugin) for plugin in plugins]))
