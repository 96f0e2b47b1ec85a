"""The hooks: where a plugin hands in what it contributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from mtlsearch.plugin._balancer import Balancer
    from mtlsearch.plugin._source import DatasetSource
    from mtlsearch.plugin._space import SearchSpace
    from mtlsearch.plugin._task import Task

PROJECT = "mtlsearch"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def mtlsearch_tasks() -> Sequence[type[Task]]:  # type: ignore[empty-body]
    """Task kinds that this plugin adds.

    Called once, when the catalogue is built, before a run file is read further than its
    ``plugins`` key. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.Task`. A ``kind`` that another plugin
        gives as well is an error that names both.
    """


@hookspec
def mtlsearch_datasets() -> Sequence[type[DatasetSource]]:  # type: ignore[empty-body]
    """Data set sources that this plugin adds.

    Called once, when the catalogue is built. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.DatasetSource`, with names of their own.
    """


@hookspec
def mtlsearch_search_spaces() -> Sequence[type[SearchSpace]]:  # type: ignore[empty-body]
    """Search spaces that this plugin adds.

    Called once, when the catalogue is built. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.SearchSpace`, with names of their own.
    """


@hookspec
def mtlsearch_balancers() -> Sequence[type[Balancer]]:  # type: ignore[empty-body]
    """Ways of balancing the tasks of a network that this plugin adds.

    Called once, when the catalogue is built. Takes no argument.

    Returns:
        Subclasses of :class:`~mtlsearch.plugin.Balancer`, with names of their own. They
        are made anew for every training; see the class.
    """
