"""The task affinity from which a search starts (``search.warm_start``)."""

from __future__ import annotations

from mtlsearch.affinity import Affinity, read_affinity
from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError
from mtlsearch.study import RunDirectory


def read_warm_start(
    config: SearchConfig, run: RunDirectory | None, *, where: str = "search.warm_start"
) -> Affinity | None:
    """Read the task affinity that ``search.warm_start`` names.

    Args:
        config: the ``search`` part of the run file.
        run: run directory, which may contain the affinity; None if it does not exist yet.
        where: location of the key, for messages.

    Returns:
        The affinity; None without a warm start, with one from an estimate, or if the affinity is
        that of a missing run directory.

    Raises:
        RunError: the affinity does not exist or cannot be read.
    """
    path = config.warm_start
    if path == "estimate":
        return None
    if path == "affinity":
        path = None if run is None else run.affinity
    if path is None:
        return None
    try:
        return read_affinity(path)
    except RunError as error:
        raise error.named_in(where) from error
