"""Table of all plugins and what they add, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from mtlsearch.config import LoadedRun
from mtlsearch.plugin import Balancer, DatasetSource, Logger, SearchSpace, Task
from mtlsearch.registry._contributions import BALANCERS, DATASETS, LOGGERS, SPACES, TASKS
from mtlsearch.registry._discovery import from_entry_points, from_folders
from mtlsearch.registry._name_table import NameTable, NameTables
from mtlsearch.registry._plugins import LoadedPlugin, LoadedPlugins, PluginFailure, load_plugins
from mtlsearch.registry._resolve import resolve_run
from mtlsearch.registry._resolved_run import ResolvedRun


def build_registry(
    plugin_folders: Sequence[Path] = (), *, entry_points: bool = True
) -> PluginRegistry:
    """Load all plugins and register what they add.

    A plugin that fails to load is listed in :attr:`PluginRegistry.failures` and does not affect
    the others.

    Args:
        plugin_folders: folders whose modules are plugins.
        entry_points: load the plugins of installed packages too.

    Returns:
        The registry.

    Raises:
        PluginError: a folder does not exist.
    """
    installed = from_entry_points() if entry_points else ()
    return PluginRegistry(load_plugins(chain(installed, from_folders(plugin_folders))))


class PluginRegistry:
    """Task kinds, data set sources, search spaces, balancers and loggers by name.

    Args:
        loaded_plugins: the plugins, loaded and checked.

    Attributes:
        plugins: the plugins that work, by name.
        failures: plugins that failed to load and names that two plugins add, with the cause.
        tasks: task kinds by name, sorted.
        datasets: data set sources by name, sorted.
        spaces: search spaces by name, sorted.
        balancers: balancers by name, sorted.
        loggers: loggers by name, sorted.
    """

    def __init__(self, loaded_plugins: LoadedPlugins) -> None:
        classes, broken = loaded_plugins.classes, loaded_plugins.failures
        self.plugins: tuple[LoadedPlugin, ...] = loaded_plugins.plugins
        self._tables = NameTables(
            tasks=NameTable(TASKS, classes[TASKS.noun], broken),
            datasets=NameTable(DATASETS, classes[DATASETS.noun], broken),
            spaces=NameTable(SPACES, classes[SPACES.noun], broken),
            balancers=NameTable(BALANCERS, classes[BALANCERS.noun], broken),
            loggers=NameTable(LOGGERS, classes[LOGGERS.noun], broken),
        )
        conflicts = (
            *self._tables.tasks.conflicts(),
            *self._tables.datasets.conflicts(),
            *self._tables.spaces.conflicts(),
            *self._tables.balancers.conflicts(),
            *self._tables.loggers.conflicts(),
        )
        self.failures: tuple[PluginFailure, ...] = (*broken, *conflicts)

    @property
    def tasks(self) -> Mapping[str, type[Task[Any]]]:
        """Task kinds by name, sorted."""
        return self._tables.tasks

    @property
    def datasets(self) -> Mapping[str, type[DatasetSource[Any]]]:
        """Data set sources by name, sorted."""
        return self._tables.datasets

    @property
    def spaces(self) -> Mapping[str, type[SearchSpace[Any]]]:
        """Search spaces by name, sorted."""
        return self._tables.spaces

    @property
    def balancers(self) -> Mapping[str, type[Balancer[Any]]]:
        """Balancers by name, sorted."""
        return self._tables.balancers

    @property
    def loggers(self) -> Mapping[str, type[Logger[Any]]]:
        """Loggers by name, sorted."""
        return self._tables.loggers

    def task(self, kind: str, *, where: str | None = None) -> type[Task[Any]]:
        """Return the task kind of a name.

        Args:
            kind: the name.
            where: the location of the name, for messages.

        Returns:
            The class.

        Raises:
            UnknownNameError: no plugin adds the name.
            PluginError: more than one plugin adds the name.
        """
        return self._tables.tasks.find(kind, where=where)

    def dataset(self, name: str, *, where: str | None = None) -> type[DatasetSource[Any]]:
        """Return the data set source of a name.

        Args:
            name: the name.
            where: the location of the name, for messages.

        Returns:
            The class.

        Raises:
            UnknownNameError: no plugin adds the name.
            PluginError: more than one plugin adds the name.
        """
        return self._tables.datasets.find(name, where=where)

    def space(self, name: str, *, where: str | None = None) -> type[SearchSpace[Any]]:
        """Return the search space of a name.

        Args:
            name: the name.
            where: the location of the name, for messages.

        Returns:
            The class.

        Raises:
            UnknownNameError: no plugin adds the name.
            PluginError: more than one plugin adds the name.
        """
        return self._tables.spaces.find(name, where=where)

    def balancer(self, name: str, *, where: str | None = None) -> type[Balancer[Any]]:
        """Return the balancer of a name.

        Args:
            name: the name.
            where: the location of the name, for messages.

        Returns:
            The class.

        Raises:
            UnknownNameError: no plugin adds the name.
            PluginError: more than one plugin adds the name.
        """
        return self._tables.balancers.find(name, where=where)

    def logger(self, name: str, *, where: str | None = None) -> type[Logger[Any]]:
        """Return the logger of a name.

        Args:
            name: the name.
            where: the location of the name, for messages.

        Returns:
            The class.

        Raises:
            UnknownNameError: no plugin adds the name.
            PluginError: more than one plugin adds the name.
        """
        return self._tables.loggers.find(name, where=where)

    def resolve(self, loaded: LoadedRun) -> ResolvedRun:
        """Look up the plugins of a run file and validate their settings; open no data.

        Args:
            loaded: the run file.

        Returns:
            The run file with its plugins.

        Raises:
            UnknownNameError: no plugin adds a name.
            PluginError: more than one plugin adds a name.
            ConfigError: settings are wrong; the message lists every problem with its line.
        """
        return resolve_run(self._tables, loaded)
