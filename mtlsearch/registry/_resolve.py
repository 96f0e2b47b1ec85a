"""Validation of a run file against the registered plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from mtlsearch.config import ConfigErrors, LoadedRun, TaskEntry
from mtlsearch.errors import ConfigError
from mtlsearch.plugin import STATIC, Settings, Task
from mtlsearch.registry._name_table import NameTable, NameTables
from mtlsearch.registry._resolved_run import ConfiguredClass, ResolvedRun

PluginT = TypeVar("PluginT")
Path = tuple[str | int, ...]


def resolve_run(tables: NameTables, loaded: LoadedRun) -> ResolvedRun:
    """Look up all plugins of a run file and validate their settings, once.

    Args:
        tables: the plugin classes by kind and name.
        loaded: the run file.

    Returns:
        The run file with its classes and typed settings.

    Raises:
        PluginError: no plugin or more than one adds a name.
        ConfigError: settings are wrong; the message lists every problem.
    """
    config = loaded.config
    entry = config.search.space
    if entry is None:
        raise _missing_space(tables, loaded)
    settings = _SettingsReader(loaded)
    sources = tuple(
        settings.read(
            tables.datasets.find(source.kind, where=loaded.where("data", "sources", index, "kind")),
            source.settings,
            ("data", "sources", index),
        )
        for index, source in enumerate(config.data.sources)
    )
    tasks = settings.read_tasks(tables.tasks, config.tasks, ("tasks",))
    extends = config.extends
    kept = {} if extends is None else extends.tasks
    kept_tasks = settings.read_tasks(tables.tasks, kept, ("extends", "tasks"))
    space = settings.read(
        tables.spaces.find(entry.kind, where=loaded.where("search", "space", "kind")),
        entry.settings,
        ("search", "space"),
    )
    balancers = {
        balancer.kind: settings.read(
            tables.balancers.find(balancer.kind, where=loaded.where(*path)),
            balancer.settings,
            path,
        )
        for index, balancer in enumerate(config.search.balancers)
        for path in [_balancer_path(loaded, index)]
        if balancer.kind in tables.balancers or balancer.kind != STATIC  # the host adds static
    }
    loggers = {
        logger.kind: settings.read(
            tables.loggers.find(logger.kind, where=loaded.where("train", "log", index)),
            logger.settings,
            ("train", "log", index),
        )
        for index, logger in enumerate(config.train.loggers)
        # A registry without the built-in plugins lacks the default.
        if logger.kind in tables.loggers or "log" in config.train.model_fields_set
    }
    kept_sources = tuple(
        tuple(
            settings.read(
                tables.datasets.find(source.kind, where=loaded.where(*path, "kind")),
                source.settings,
                path,
            )
            for number, source in enumerate(images.config.sources)
            for path in [("extends", "images", index, "data", "sources", number)]
        )
        for index, images in enumerate(extends.images if extends and extends.unfreeze else ())
    )
    settings.raise_if_any()
    if space.cls.extends != (extends is not None):
        raise _wrong_space(tables, loaded, entry.kind)
    if extends is None and config.train.cache_prefix is not None:
        raise ConfigError(
            "`train.cache_prefix` applies to `mtlsearch extend` only",
            where=loaded.where("train", "cache_prefix"),
            next_step="remove the key",
        )
    return ResolvedRun(loaded, sources, tasks, space, balancers, loggers, kept_tasks, kept_sources)


class _SettingsReader:
    """Validates the settings of plugins and collects all problems.

    Args:
        loaded: the run file, for the locations of keys.
    """

    def __init__(self, loaded: LoadedRun) -> None:
        self._problems = ConfigErrors(loaded.origins)
        self._where = loaded.where

    def read(
        self, cls: type[PluginT], values: dict[str, Any], path: Path
    ) -> ConfiguredClass[PluginT]:
        """Validate the settings at a path; with problems, the returned settings are None."""
        model: type[Settings] = cls.Settings  # type: ignore[attr-defined]
        return ConfiguredClass(cls, self._problems.validate(model, values, path))

    def read_tasks(
        self, kinds: NameTable[Task[Any]], tasks: Mapping[str, TaskEntry], path: Path
    ) -> dict[str, ConfiguredClass[Task[Any]]]:
        """Look up the kinds of some tasks and validate their settings."""
        return {
            name: self.read(
                kinds.find(task.kind, where=self._where(*path, name, "kind")),
                task.settings,
                (*path, name),
            )
            for name, task in tasks.items()
        }

    def raise_if_any(self) -> None:
        """Raise one error that lists all collected problems."""
        self._problems.raise_if_any()


def _missing_space(tables: NameTables, loaded: LoadedRun) -> ConfigError:
    return ConfigError(
        "the run file names no search space",
        where=loaded.where("search", "space"),
        allowed=_allowed_spaces(tables, is_extension=loaded.config.extends is not None),
        next_step="set `search.space`; `mtlsearch list spaces` describes each space",
    )


def _wrong_space(tables: NameTables, loaded: LoadedRun, name: str) -> ConfigError:
    is_extension = loaded.config.extends is not None
    if is_extension:
        what = f"the space {name!r} does not extend a network in use"
    else:
        what = f"the space {name!r} extends a network in use, and the run file names none"
    return ConfigError(
        what,
        where=loaded.where("search", "space"),
        allowed=_allowed_spaces(tables, is_extension=is_extension),
        next_step="use one of these spaces"
        if is_extension
        else "start it by `mtlsearch extend RUN --trial best NEW.yaml`, or use another space",
    )


def _allowed_spaces(tables: NameTables, *, is_extension: bool) -> list[str]:
    spaces = tables.spaces
    return [f"space: {kind}" for kind in spaces if spaces[kind].extends is is_extension]


def _balancer_path(loaded: LoadedRun, index: int) -> Path:
    is_list = isinstance(loaded.config.search.balancer, tuple)
    return ("search", "balancer", index) if is_list else ("search", "balancer")
