"""Contributions of one kind by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from mtlsearch.errors import PluginError, UnknownNameError
from mtlsearch.registry._contributions import Kind, name_of
from mtlsearch.registry._plugins import LoadedPlugin, PluginFailure

ItemT = TypeVar("ItemT")


class NameTable(Mapping[str, type[ItemT]]):
    """Classes of one kind by name, sorted; a name that two plugins give is not usable.

    Args:
        kind: what lies on it.
        items: the classes, each with the plugin that gave it.
        failures: plugins that did not load, which may have had what is asked for.
    """

    def __init__(
        self,
        kind: Kind,
        items: Sequence[tuple[type[Any], LoadedPlugin]],
        failures: Sequence[PluginFailure],
    ) -> None:
        self.kind = kind
        self._failures = failures
        givers: dict[str, list[LoadedPlugin]] = {}
        for item, plugin in items:
            givers.setdefault(name_of(kind, item), []).append(plugin)
        self._clashes = {name: given for name, given in givers.items() if len(given) > 1}
        self._classes = {
            name_of(kind, item): item
            for item, _ in sorted(items, key=lambda pair: name_of(kind, pair[0]))
            if name_of(kind, item) not in self._clashes
        }

    def __getitem__(self, name: str) -> type[ItemT]:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def find(self, name: str, *, where: str | None = None) -> type[ItemT]:
        """The class of that name.

        Raises:
            PluginError: two plugins give the name; it names both.
            UnknownNameError: none does; it names the nearest, and the plugins that did not
                load and may have had it.
        """
        if name in self._clashes:
            raise PluginError(
                self._clash(name), where=where, next_step="take one of the two plugins away"
            )
        if name not in self._classes:
            raise self._unknown(name, where)
        return self._classes[name]

    def conflicts(self) -> Iterator[PluginFailure]:
        """A failure for every plugin whose name another one gives as well."""
        for name, givers in sorted(self._clashes.items()):
            for plugin in givers:
                yield PluginFailure(plugin.name, plugin.where, self._clash(name))

    def _clash(self, name: str) -> str:
        givers = " and ".join(f"{at.name} ({at.where})" for at in self._clashes[name])
        return f"the {self.kind.noun} {name!r} is given by {givers}; the name cannot be used"

    def _unknown(self, name: str, where: str | None) -> UnknownNameError:
        error = UnknownNameError(self.kind.noun, name, list(self._classes), where=where)
        if self._failures:
            causes = "; ".join(f"{at.name}: {at.cause}" for at in self._failures)
            error.next_step = f"these plugins did not load and may have had it: {causes}"
        return error
