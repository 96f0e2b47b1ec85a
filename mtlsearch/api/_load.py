"""``mtlsearch.load``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mtlsearch.api._run import Run
from mtlsearch.api._terms import in_python_terms


@in_python_terms
def load(
    run: str | os.PathLike[str],
    *,
    plugins: Sequence[str | os.PathLike[str]] = (),
    data_root: str | os.PathLike[str] | None = None,
) -> Run:
    """Open the run directory of a search, also while the search is running.

    Loads no plugin and opens no data until a network is needed.

    Args:
        run: run directory that :func:`mtlsearch.search` or ``mtlsearch search`` wrote.
        plugins: folders with further plugins.
        data_root: folder of the data, if it moved since the search.

    Returns:
        The run.

    Raises:
        RunError: the folder is not a run directory.
        ConfigError: its run file is invalid.
    """
    from mtlsearch.config import Override
    from mtlsearch.study import read_run

    folder = Path(run)
    overrides = []
    if data_root is not None:
        root = os.fspath(data_root)
        overrides.append(Override(("data", "root"), root, f"data_root={root!r}"))
    folders = [Path(plugin) for plugin in plugins]
    return Run(folder, read_run(folder, plugins=folders, overrides=overrides))
