"""Contributions made for a run file: settings checked, objects built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from mtlsearch.config import ConfigErrors, LoadedRun
from mtlsearch.errors import ConfigError, DataError, did_you_mean
from mtlsearch.plugin import STATIC, Balancer, DatasetSource, LabelSpec, SearchSpace, Settings, Task

if TYPE_CHECKING:
    from mtlsearch.registry._registry import PluginRegistry

Path = tuple[str | int, ...]


def check_settings(registry: PluginRegistry, loaded: LoadedRun) -> None:
    """Be sure of all kinds and settings of a run file, and say all that is wrong at once.

    Raises:
        PluginError: a kind is unknown or given twice.
        ConfigError: settings are wrong.
    """
    if loaded.config.search.space is None:
        raise ConfigError(
            "the run file names no search space",
            where=loaded.where("search", "space"),
            allowed=[f"space: {name}" for name in registry.spaces],
            next_step="`mtlsearch spaces` says what each of them proposes",
        )
    problems = ConfigErrors(loaded.origins)
    for path, model, values in _all_settings(registry, loaded):
        problems.validate(model, values, path)
    problems.raise_if_any()


def _all_settings(
    registry: PluginRegistry, loaded: LoadedRun
) -> Iterator[tuple[Path, type[Settings], dict[str, Any]]]:
    config = loaded.config
    for index, source in enumerate(config.data.sources):
        path: Path = ("data", "sources", index)
        found = registry.dataset(source.kind, where=loaded.where(*path, "kind"))
        yield path, found.Settings, source.settings
    for name, task in config.tasks.items():
        path = ("tasks", name)
        kind = registry.task(task.kind, where=loaded.where(*path, "kind"))
        yield path, kind.Settings, task.settings
    if config.search.space is not None:
        path = ("search", "space")
        entry = config.search.space
        space = registry.space_named(entry.kind, where=loaded.where(*path, "kind"))
        yield path, space.Settings, entry.settings
    for index, balancer in enumerate(config.search.balancers):
        path = _balance_path(loaded, index)
        if balancer.kind in registry.balancers or balancer.kind != STATIC:  # the host does static
            found_balancer = registry.balancer(balancer.kind, where=loaded.where(*path))
            yield path, found_balancer.Settings, balancer.settings


def _balance_path(loaded: LoadedRun, index: int) -> Path:
    listed = isinstance(loaded.config.search.balancer, tuple)
    return ("search", "balancer", index) if listed else ("search", "balancer")


def open_source(registry: PluginRegistry, loaded: LoadedRun, index: int) -> DatasetSource[Any]:
    """One data set source; see :meth:`Catalog.open_sources`."""
    config = loaded.config
    entry = config.data.sources[index]
    found = registry.dataset(entry.kind)
    root = config.data.root / (entry.root or "")
    if not found.generated and not root.is_dir():
        raise _no_folder(loaded, index, root)
    try:
        return found(found.Settings.model_validate(entry.settings), root=root, seed=config.seed)
    except DataError as error:
        raise error.named_in(loaded.where("data", "sources", index)) from error


def _no_folder(loaded: LoadedRun, index: int, root: FilePath) -> ConfigError:
    """A source's folder is not there: because of its own root, or of the one it starts from."""
    above = loaded.config.data.root
    if above.is_dir():
        return ConfigError(
            f"there is no folder {root}",
            where=loaded.where("data", "sources", index, "root"),
            next_step=f"a source's root starts from data.root, which is {above}",
        )
    return ConfigError(
        f"there is no folder {root}",
        where=loaded.where("data", "root"),
        next_step="`--set data.root=DIR` or the variable MTLSEARCH_DATA_ROOT says where "
        "the data lie",
    )


def open_space(registry: PluginRegistry, loaded: LoadedRun) -> SearchSpace[Any]:
    """The search space; see :meth:`Catalog.space`."""
    entry = loaded.config.search.space
    if entry is None:
        raise ConfigError("the run file names no search space", where=loaded.where("search"))
    found = registry.space_named(entry.kind)
    return found(found.Settings.model_validate(entry.settings))


def open_balancers(
    registry: PluginRegistry, loaded: LoadedRun
) -> dict[str, Callable[[Sequence[str]], Balancer[Any]]]:
    """The balancers that a run may use; see :meth:`Catalog.open_balancers`."""
    makers: dict[str, Callable[[Sequence[str]], Balancer[Any]]] = {}
    for entry in loaded.config.search.balancers:
        if entry.kind in registry.balancers:
            found = registry.balancer(entry.kind)
            makers[entry.kind] = partial(found, found.Settings.model_validate(entry.settings))
            makers[entry.kind](sorted(loaded.config.tasks))  # says now what is not installed
    return makers


def open_task(
    registry: PluginRegistry, loaded: LoadedRun, name: str, labels: Mapping[str, LabelSpec]
) -> Task[Any]:
    """One task; see :meth:`Catalog.build_tasks`."""
    entry = loaded.config.tasks[name]
    kind = registry.task(entry.kind)
    label = loaded.config.label_of(name)
    where = loaded.where("tasks", name, "label") if entry.label else loaded.where("tasks", name)
    fitting = [at for at, spec in labels.items() if spec.form in kind.accepts]
    if label not in labels:
        raise ConfigError(
            f"task {name!r} learns the label {label!r}, which no data source has"
            f"{did_you_mean(label, labels)}",
            where=where,
            allowed=[f"{at} ({labels[at].form})" for at in labels],
            next_step=f"say `label: NAME` in the task; labels for {entry.kind}: "
            f"{', '.join(fitting) or 'none'}",
        )
    spec = labels[label]
    if spec.form not in kind.accepts:
        forms = " or ".join(form.value for form in kind.accepts)
        raise ConfigError(
            f"{entry.kind} learns labels of the form {forms}; {label!r} is a {spec.describe()}",
            where=where,
            allowed=fitting,
            next_step="`mtlsearch tasks` says which forms each kind learns",
        )
    return kind(name, kind.Settings.model_validate(entry.settings), spec)
