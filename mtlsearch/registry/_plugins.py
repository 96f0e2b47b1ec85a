"""Loading of plugins one by one, so that a broken plugin does not affect the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from mtlsearch.plugin import PROJECT, hooks
from mtlsearch.registry import _contributions, _hooks
from mtlsearch.registry._contributions import KINDS, Kind, name_of
from mtlsearch.registry._discovery import FoundPlugin


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin that loaded without errors.

    Attributes:
        name: name of the entry point or the file.
        where: distribution and module, or the file.
        version: version of the distribution; empty for files.
        contributions: names of the added classes by kind, such as ``{"task kind": ("depth",)}``.
    """

    name: str
    where: str
    version: str
    contributions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that failed to load, or a name that cannot be used.

    Attributes:
        name: name of the plugin.
        where: distribution and module, or the file.
        cause: the reason, one sentence.
        error: the exception, for ``--debug``; None if nothing was raised.
    """

    name: str
    where: str
    cause: str
    error: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class LoadedPlugins:
    """Result of loading all plugins.

    Attributes:
        plugins: the plugins that loaded.
        failures: the plugins that failed.
        classes: the classes and their plugins, by kind.
    """

    plugins: tuple[LoadedPlugin, ...]
    failures: tuple[PluginFailure, ...]
    classes: Mapping[str, tuple[tuple[type[Any], LoadedPlugin], ...]]


def load_plugins(discovered: Iterable[FoundPlugin]) -> LoadedPlugins:
    """Load plugins and collect the classes that each adds.

    A plugin with an error adds nothing, because a partial plugin would be confusing.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    plugins: list[LoadedPlugin] = []
    failures: list[PluginFailure] = []
    classes: dict[str, list[tuple[type[Any], LoadedPlugin]]] = {kind.noun: [] for kind in KINDS}
    for plugin in discovered:
        try:
            classes_by_noun = _load(plugin, manager)
        except (Exception, SystemExit) as error:
            # Third-party code may raise any exception; the failure is reported with its cause.
            failures.append(_failure(plugin, error))
            continue
        loaded = _loaded(plugin, classes_by_noun)
        plugins.append(loaded)
        for kind in KINDS:
            classes[kind.noun] += [(item, loaded) for item in classes_by_noun[kind.noun]]
    return LoadedPlugins(
        tuple(plugins), tuple(failures), {noun: tuple(items) for noun, items in classes.items()}
    )


class _InvalidPluginError(Exception):
    """A plugin that imports but adds invalid classes or hooks."""


def _load(discovered: FoundPlugin, manager: pluggy.PluginManager) -> dict[str, list[type[Any]]]:
    """Import a plugin and return the classes that it adds, by kind."""
    plugin = discovered.load()
    _raise_if_any(_hooks.find_errors(plugin))
    name = manager.register(plugin, name=f"{discovered.name} ({discovered.where})")
    try:
        manager.check_pending()
        return {kind.noun: _call_hook(kind, plugin, manager) for kind in KINDS}
    except BaseException:
        manager.unregister(name=name)
        raise


def _call_hook(kind: Kind, plugin: object, manager: pluggy.PluginManager) -> list[type[Any]]:
    others = [other for other in manager.get_plugins() if other is not plugin]
    results = manager.subset_hook_caller(kind.hook, remove_plugins=others)()
    for result in results:
        _raise_if_any(_contributions.find_errors(kind, result))
    return sorted(
        (item for result in results for item in result), key=lambda item: name_of(kind, item)
    )


def _raise_if_any(errors: Iterable[str]) -> None:
    text = "; ".join(errors)
    if text:
        raise _InvalidPluginError(text)


def _loaded(
    discovered: FoundPlugin, classes_by_noun: Mapping[str, list[type[Any]]]
) -> LoadedPlugin:
    names = {
        kind.noun: tuple(name_of(kind, item) for item in classes_by_noun[kind.noun])
        for kind in KINDS
        if classes_by_noun[kind.noun]
    }
    return LoadedPlugin(discovered.name, discovered.where, discovered.version, names)


def _failure(discovered: FoundPlugin, error: BaseException) -> PluginFailure:
    if isinstance(error, _InvalidPluginError):
        return PluginFailure(discovered.name, discovered.where, str(error))
    text = " ".join(str(error).split())
    cause = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return PluginFailure(discovered.name, discovered.where, cause, error)
