"""Plugin classes of one kind by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mtlsearch.errors import PluginError, UnknownNameError
from mtlsearch.plugin import Balancer, DatasetSource, Logger, SearchSpace, Task
from mtlsearch.registry._contributions import Kind, name_of
from mtlsearch.registry._plugins import LoadedPlugin, PluginFailure

ItemT = TypeVar("ItemT")


class NameTable(Mapping[str, type[ItemT]]):
    """Classes of one kind by name, sorted. A name that two plugins add is excluded.

    Args:
        kind: the kind of the classes.
        items: the classes, each with the plugin that adds it.
        failures: plugins that failed to load, for error messages.
    """

    def __init__(
        self,
        kind: Kind,
        items: Sequence[tuple[type[Any], LoadedPlugin]],
        failures: Sequence[PluginFailure],
    ) -> None:
        self.kind = kind
        self._failures = failures
        plugins_by_name: dict[str, list[LoadedPlugin]] = {}
        for item, plugin in items:
            plugins_by_name.setdefault(name_of(kind, item), []).append(plugin)
        self._conflicts = {
            name: plugins for name, plugins in plugins_by_name.items() if len(plugins) > 1
        }
        self._classes = {
            name_of(kind, item): item
            for item, _ in sorted(items, key=lambda pair: name_of(kind, pair[0]))
            if name_of(kind, item) not in self._conflicts
        }

    def __getitem__(self, name: str) -> type[ItemT]:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def find(self, name: str, *, where: str | None = None) -> type[ItemT]:
        """Return the class of a name.

        Args:
            name: the name in the run file.
            where: the location of the name, for messages.

        Returns:
            The class.

        Raises:
            PluginError: more than one plugin adds the name.
            UnknownNameError: no plugin adds the name. The message suggests the closest name and
                lists plugins that failed to load.
        """
        if name in self._conflicts:
            raise PluginError(
                self._conflict(name), where=where, next_step="remove one of the two plugins"
            )
        if name not in self._classes:
            raise self._unknown(name, where)
        return self._classes[name]

    def conflicts(self) -> Iterator[PluginFailure]:
        """Yield one failure per plugin whose name another plugin adds too.

        Yields:
            The failures, by name.
        """
        for name, plugins in sorted(self._conflicts.items()):
            for plugin in plugins:
                yield PluginFailure(plugin.name, plugin.where, self._conflict(name))

    def _conflict(self, name: str) -> str:
        plugins = " and ".join(
            f"{plugin.name} ({plugin.where})" for plugin in self._conflicts[name]
        )
        return f"the {self.kind.noun} {name!r} is added by {plugins}; the name cannot be used"

    def _unknown(self, name: str, where: str | None) -> UnknownNameError:
        error = UnknownNameError(self.kind.noun, name, list(self._classes), where=where)
        if self._failures:
            causes = "; ".join(f"{failure.name}: {failure.cause}" for failure in self._failures)
            error.next_step = f"fix the plugins that failed to load: {causes}"
        return error


@dataclass(frozen=True, slots=True)
class NameTables:
    """The classes of all plugins, one table per kind.

    Attributes:
        tasks: task kinds.
        datasets: data set sources.
        spaces: search spaces.
        balancers: balancers.
        loggers: loggers.
    """

    tasks: NameTable[Task[Any]]
    datasets: NameTable[DatasetSource[Any]]
    spaces: NameTable[SearchSpace[Any]]
    balancers: NameTable[Balancer[Any]]
    loggers: NameTable[Logger[Any]]

    def conflicts(self) -> Iterator[PluginFailure]:
        """Yield one failure per plugin whose name another plugin adds too."""
        for table in (self.tasks, self.datasets, self.spaces, self.balancers, self.loggers):
            yield from table.conflicts()
