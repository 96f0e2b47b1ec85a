"""All that plugins contribute, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from mtlsearch.config import LoadedRun
from mtlsearch.labels import LabelSpec
from mtlsearch.plugin import Balancer, DatasetSource, SearchSpace, Task
from mtlsearch.registry._contributions import BALANCERS, DATASETS, SPACES, TASKS
from mtlsearch.registry._discovery import from_entry_points, from_folders
from mtlsearch.registry._factories import (
    check_settings,
    open_balancers,
    open_source,
    open_space,
    open_task,
)
from mtlsearch.registry._name_table import NameTable
from mtlsearch.registry._plugins import LoadedPlugin, LoadedPlugins, PluginFailure, load_plugins


def build_registry(
    plugin_folders: Sequence[Path] = (), *, entry_points: bool = True
) -> PluginRegistry:
    """Load every plugin there is.

    A plugin that does not load is named in :attr:`Catalog.failures` and hurts no other.

    Args:
        plugin_folders: folders whose modules are plugins.
        entry_points: whether to look at installed packages as well.

    Raises:
        PluginError: a folder is not there.
    """
    installed = from_entry_points() if entry_points else ()
    return PluginRegistry(load_plugins(chain(installed, from_folders(plugin_folders))))


class PluginRegistry:
    """Task kinds, data set sources, search spaces and balancers by name.

    Attributes:
        plugins: the plugins that work, by name.
        failures: those that do not, and names that two of them give, each with its cause.
        tasks: task kinds by name, sorted.
        datasets: data set sources by name, sorted.
        spaces: search spaces by name, sorted.
        balancers: balancers by name, sorted.
    """

    def __init__(self, gathered: LoadedPlugins) -> None:
        classes, broken = gathered.classes, gathered.failures
        self.plugins: tuple[LoadedPlugin, ...] = gathered.plugins
        self._tasks: NameTable[Task[Any]] = NameTable(TASKS, classes[TASKS.noun], broken)
        self._datasets: NameTable[DatasetSource[Any]] = NameTable(
            DATASETS, classes[DATASETS.noun], broken
        )
        self._spaces: NameTable[SearchSpace[Any]] = NameTable(SPACES, classes[SPACES.noun], broken)
        self._balancers: NameTable[Balancer[Any]] = NameTable(
            BALANCERS, classes[BALANCERS.noun], broken
        )
        shelves = (self._tasks, self._datasets, self._spaces, self._balancers)
        conflicts = chain.from_iterable(shelf.conflicts() for shelf in shelves)
        self.failures: tuple[PluginFailure, ...] = (*broken, *conflicts)

    @property
    def tasks(self) -> Mapping[str, type[Task[Any]]]:
        """Task kinds by name, sorted."""
        return self._tasks

    @property
    def datasets(self) -> Mapping[str, type[DatasetSource[Any]]]:
        """Data set sources by name, sorted."""
        return self._datasets

    @property
    def spaces(self) -> Mapping[str, type[SearchSpace[Any]]]:
        """Search spaces by name, sorted."""
        return self._spaces

    @property
    def balancers(self) -> Mapping[str, type[Balancer[Any]]]:
        """Balancers by name, sorted."""
        return self._balancers

    def task(self, kind: str, *, where: str | None = None) -> type[Task[Any]]:
        """The task kind of that name.

        Raises:
            UnknownNameError: no plugin gives it.
            PluginError: two plugins do.
        """
        return self._tasks.find(kind, where=where)

    def dataset(self, name: str, *, where: str | None = None) -> type[DatasetSource[Any]]:
        """The data set source of that name.

        Raises:
            UnknownNameError: no plugin gives it.
            PluginError: two plugins do.
        """
        return self._datasets.find(name, where=where)

    def space_named(self, name: str, *, where: str | None = None) -> type[SearchSpace[Any]]:
        """The search space of that name.

        Raises:
            UnknownNameError: no plugin gives it.
            PluginError: two plugins do.
        """
        return self._spaces.find(name, where=where)

    def balancer(self, name: str, *, where: str | None = None) -> type[Balancer[Any]]:
        """The balancer of that name.

        Raises:
            UnknownNameError: no plugin gives it.
            PluginError: two plugins do.
        """
        return self._balancers.find(name, where=where)

    def check(self, loaded: LoadedRun) -> None:
        """Be sure that a run file's kinds exist and their settings are right; opens nothing.

        Raises:
            UnknownNameError: no plugin gives a kind, source or space.
            PluginError: two plugins do.
            ConfigError: settings are wrong; it lists every problem with its line.
        """
        check_settings(self, loaded)

    def build_tasks(
        self, loaded: LoadedRun, labels: Mapping[str, LabelSpec]
    ) -> dict[str, Task[Any]]:
        """The tasks of a run file, each for the label that it learns.

        Args:
            loaded: the run file.
            labels: the labels that the data have.

        Raises:
            ConfigError: a label does not exist, or is of a form that the kind cannot learn.
            PluginError: see :meth:`check`.
        """
        check_settings(self, loaded)
        return {name: open_task(self, loaded, name, labels) for name in loaded.config.tasks}

    def open_sources(self, loaded: LoadedRun) -> list[DatasetSource[Any]]:
        """The data set sources of a run file, opened.

        Raises:
            ConfigError: a folder is not there, or see :meth:`check`.
            PluginError: see :meth:`check`.
            DataError: an index is missing or cannot be read.
        """
        check_settings(self, loaded)
        count = len(loaded.config.data.sources)
        return [open_source(self, loaded, index) for index in range(count)]

    def space(self, loaded: LoadedRun) -> SearchSpace[Any]:
        """The search space of a run file.

        Raises:
            ConfigError: the run file names none, or see :meth:`check`.
            PluginError: see :meth:`check`.
        """
        check_settings(self, loaded)
        return open_space(self, loaded)

    def open_balancers(
        self, loaded: LoadedRun
    ) -> dict[str, Callable[[Sequence[str]], Balancer[Any]]]:
        """What makes each balancer of a run file, by name: from task names to the balancer.

        Raises:
            ConfigError: see :meth:`check`.
            PluginError: see :meth:`check`.
            TrainingError: something that one of them needs is not installed.
        """
        check_settings(self, loaded)
        return open_balancers(self, loaded)
