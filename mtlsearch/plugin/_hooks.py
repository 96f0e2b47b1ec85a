"""Plugin hooks: functions by which a plugin registers what it adds.

Implement a hook with :data:`hookimpl`. Each hook takes no argument and is called once, when the
registry is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mtlsearch.plugin._balancer import Balancer
    from mtlsearch.plugin._logger import Logger
    from mtlsearch.plugin._source import DatasetSource
    from mtlsearch.plugin._space import SearchSpace
    from mtlsearch.plugin._task import Task

PROJECT = "mtlsearch"
"""Name of the entry point group and of the pluggy project."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def mtlsearch_tasks() -> Sequence[type[Task]]:  # type: ignore[empty-body]
    """Return the task kinds that this plugin adds.

    Called once, when the registry is built, before any key of a run file except ``plugins`` is
    read. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.Task`. If two plugins return the same ``kind``,
        an error names both plugins.
    """


@hookspec
def mtlsearch_datasets() -> Sequence[type[DatasetSource]]:  # type: ignore[empty-body]
    """Return the data sources that this plugin adds.

    Called once, when the registry is built. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.DatasetSource` with unique names.
    """


@hookspec
def mtlsearch_search_spaces() -> Sequence[type[SearchSpace]]:  # type: ignore[empty-body]
    """Return the search spaces that this plugin adds.

    Called once, when the registry is built. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.SearchSpace` with unique names.
    """


@hookspec
def mtlsearch_balancers() -> Sequence[type[Balancer]]:  # type: ignore[empty-body]
    """Return the balancers that this plugin adds.

    Called once, when the registry is built. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.Balancer` with unique names. Each training
        creates new instances.
    """


@hookspec
def mtlsearch_loggers() -> Sequence[type[Logger]]:  # type: ignore[empty-body]
    """Return the loggers that this plugin adds.

    Called once, when the registry is built. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.Logger` with unique names. A process creates one
        instance of each logger that ``train.log`` names.
    """
