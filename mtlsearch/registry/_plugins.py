"""Plugins loaded one by one, so that a broken one leaves the others alone."""

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
    """A plugin that works.

    Attributes:
        name: name of the entry point or the file.
        where: distribution and module, or the file.
        version: version of the distribution; empty for files.
        contributions: names of what it adds, by noun: ``{"task kind": ("depth",)}``.
    """

    name: str
    where: str
    version: str
    contributions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that does not work, or a name that cannot be used.

    Attributes:
        name: name of the plugin.
        where: distribution and module, or the file.
        cause: why, in one sentence.
        error: what was raised, for ``--debug``; None where nothing was.
    """

    name: str
    where: str
    cause: str
    error: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class LoadedPlugins:
    """What came of all plugins.

    Attributes:
        plugins: those that work.
        failures: those that do not.
        classes: by kind of contribution, the classes with the plugin that gave each.
    """

    plugins: tuple[LoadedPlugin, ...]
    failures: tuple[PluginFailure, ...]
    classes: Mapping[str, tuple[tuple[type[Any], LoadedPlugin], ...]]


def load_plugins(found: Iterable[FoundPlugin]) -> LoadedPlugins:
    """Load plugins and ask each for what it contributes.

    A plugin with any fault contributes nothing: half a plugin would be a riddle.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    plugins: list[LoadedPlugin] = []
    failures: list[PluginFailure] = []
    classes: dict[str, list[tuple[type[Any], LoadedPlugin]]] = {kind.noun: [] for kind in KINDS}
    for candidate in found:
        try:
            params = _answers_of(candidate, manager)
        except (Exception, SystemExit) as error:
            # A stranger's code may raise anything; it is told, with its cause.
            failures.append(_failure(candidate, error))
            continue
        loaded = _loaded(candidate, params)
        plugins.append(loaded)
        for kind in KINDS:
            classes[kind.noun] += [(item, loaded) for item in params[kind.noun]]
    return LoadedPlugins(
        tuple(plugins), tuple(failures), {noun: tuple(items) for noun, items in classes.items()}
    )


class _FaultyPluginError(Exception):
    """It loads, and is wrong."""


def _answers_of(found: FoundPlugin, manager: pluggy.PluginManager) -> dict[str, list[type[Any]]]:
    plugin = found.load()
    _refuse(_hooks.find_errors(plugin))
    name = manager.register(plugin, name=f"{found.name} ({found.where})")
    try:
        manager.check_pending()
        return {kind.noun: _ask(kind, plugin, manager) for kind in KINDS}
    except BaseException:
        manager.unregister(name=name)
        raise


def _ask(kind: Kind, plugin: object, manager: pluggy.PluginManager) -> list[type[Any]]:
    others = [other for other in manager.get_plugins() if other is not plugin]
    params = manager.subset_hook_caller(kind.hook, remove_plugins=others)()
    for answer in params:
        _refuse(_contributions.find_errors(kind, answer))
    return sorted(
        (item for answer in params for item in answer), key=lambda item: name_of(kind, item)
    )


def _refuse(faults: Iterable[str]) -> None:
    text = "; ".join(faults)
    if text:
        raise _FaultyPluginError(text)


def _loaded(found: FoundPlugin, params: Mapping[str, list[type[Any]]]) -> LoadedPlugin:
    names = {
        kind.noun: tuple(name_of(kind, item) for item in params[kind.noun])
        for kind in KINDS
        if params[kind.noun]
    }
    return LoadedPlugin(found.name, found.where, found.version, names)


def _failure(found: FoundPlugin, error: BaseException) -> PluginFailure:
    if isinstance(error, _FaultyPluginError):
        return PluginFailure(found.name, found.where, str(error))
    text = " ".join(str(error).split())
    cause = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return PluginFailure(found.name, found.where, cause, error)
