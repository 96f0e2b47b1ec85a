"""Table of all plugins and what they add, by name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from mtlsearch.config import LoadedRun
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
        tasks: task kinds by name.
        datasets: data set sources by name.
        spaces: search spaces by name.
        balancers: balancers by name.
        loggers: loggers by name.
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
        self.tasks = self._tables.tasks
        self.datasets = self._tables.datasets
        self.spaces = self._tables.spaces
        self.balancers = self._tables.balancers
        self.loggers = self._tables.loggers
        self.failures: tuple[PluginFailure, ...] = (*broken, *self._tables.conflicts())

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
