"""Run file with its plugin classes and validated settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from mtlsearch.config import LoadedRun, RunConfig
from mtlsearch.errors import ConfigError, DataError, describe_invalid, did_you_mean
from mtlsearch.files import Roots, confine_reading
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import (
    Balancer,
    DatasetSource,
    LabelSpec,
    Logger,
    SearchSpace,
    Settings,
    Task,
)

PluginT = TypeVar("PluginT")

SPLITS = ("train", "val", "test")
"""Splits of a source."""


@dataclass(frozen=True, slots=True)
class ConfiguredClass(Generic[PluginT]):
    """A plugin's class with its validated settings.

    Attributes:
        cls: the class to construct.
        settings: the settings from the run file, an instance of ``cls.Settings``.
    """

    cls: type[PluginT]
    settings: Any


@dataclass(frozen=True, slots=True)
class ResolvedRun:
    """A run file, validated, with the plugins that it names.

    :meth:`PluginRegistry.resolve` builds it once per command. Its methods construct what the run
    file describes and validate no settings again.

    Attributes:
        loaded: the run file with the locations of its keys.
        sources: the data set sources, in the order of ``data.sources``.
        tasks: the task kinds by task name, in the order of ``tasks``.
        space: the search space.
        balancers: the balancers by name. The host's ``static`` is absent.
        loggers: the loggers by name, in the order of ``train.log``.
        kept_tasks: the task kinds of a network in use, by task name; empty if the run extends none.
        kept_sources: the sources of each entry of ``extends.images``; empty without units to tune.
    """

    loaded: LoadedRun
    sources: tuple[ConfiguredClass[DatasetSource[Any]], ...]
    tasks: Mapping[str, ConfiguredClass[Task[Any]]]
    space: ConfiguredClass[SearchSpace[Any]]
    balancers: Mapping[str, ConfiguredClass[Balancer[Any]]]
    loggers: Mapping[str, ConfiguredClass[Logger[Any]]] = field(default_factory=dict)
    kept_tasks: Mapping[str, ConfiguredClass[Task[Any]]] = field(default_factory=dict)
    kept_sources: tuple[tuple[ConfiguredClass[DatasetSource[Any]], ...], ...] = ()

    @property
    def config(self) -> RunConfig:
        """The values of the run file."""
        return self.loaded.config

    def where(self, *keys: str | int) -> str:
        """Return the location of a key for messages.

        Args:
            keys: the path of the key, such as ``"train", "epochs"``.

        Returns:
            File, line and dotted path, such as ``"run.yaml:12 (train.epochs)"``.
        """
        return self.loaded.where(*keys)

    def open_sources(self) -> list[DatasetSource[Any]]:
        """Open all data set sources.

        Returns:
            One source per entry of ``data.sources``, in that order.

        Raises:
            ConfigError: the folder of a source does not exist.
            DataError: an index file is missing or cannot be read.
        """
        return [self._open_source(index) for index in range(len(self.sources))]

    def with_kept_images(self, index: int) -> ResolvedRun:
        """Return the run with images on which tasks of the network in use were validated.

        Args:
            index: index of an entry of ``extends.images``.

        Returns:
            The run, whose sources are these. If their root no longer exists, it is ``data.root``,
            provided that their folders are there.
        """
        assert self.config.extends is not None  # it has the entry
        images = self.config.extends.images[index]
        data, moved = images.config, self.config.data.root
        folders = [moved / (source.root or "") for source in data.sources]
        if not data.root.is_dir() and all(folder.is_dir() for folder in folders):
            data = data.model_copy(update={"root": moved})
        config = self.config.model_copy(update={"data": data, "seed": images.seed})
        return replace(self, loaded=LoadedRun(config), sources=self.kept_sources[index])

    def build_space(self, kept_plan: SharingPlan | None = None) -> SearchSpace[Any]:
        """Build the search space.

        Args:
            kept_plan: plan of the network in use, which the plans extend; None for no such network.

        Returns:
            The search space, without limits or optional components.
        """
        space = self.space.cls(self.space.settings)
        space.kept_plan = kept_plan
        return space

    def build_tasks(self, labels: Mapping[str, LabelSpec]) -> dict[str, Task[Any]]:
        """Build all tasks, each for the label that it learns.

        Args:
            labels: the labels of the data, by name.

        Returns:
            The tasks by name, in the order of the run file.

        Raises:
            ConfigError: a label does not exist, or its form does not fit the task kind.
        """
        return {name: self._build_task(name, labels) for name in self.tasks}

    def build_kept_tasks(self) -> dict[str, Task[Any]]:
        """Build the tasks of the network in use.

        Returns:
            The tasks by name, sorted; empty if the run extends no network.

        Raises:
            ConfigError: a label in the run file is invalid.
        """
        labels = {} if self.config.extends is None else self.config.extends.labels
        tasks = {}
        for name, kind in sorted(self.kept_tasks.items()):
            try:
                label = _LABEL.validate_python(labels.get(name))
            except ValidationError as error:
                raise ConfigError(
                    f"the label of task {name!r} is invalid: {describe_invalid(error)}",
                    where=self.where("extends", "labels"),
                    next_step="run `mtlsearch extend` again in a new run directory",
                ) from error
            tasks[name] = kind.cls(name, kind.settings, label)
        return tasks

    def open_balancers(self) -> dict[str, Callable[[Sequence[str]], Balancer[Any]]]:
        """Return one factory per balancer, after a trial construction of each.

        Returns:
            Functions from the task names to a balancer, by the balancer's name.

        Raises:
            TrainingError: a library that a balancer requires is not installed.
        """
        makers: dict[str, Callable[[Sequence[str]], Balancer[Any]]] = {}
        for name, balancer in self.balancers.items():
            makers[name] = partial(balancer.cls, balancer.settings)
            makers[name](sorted(self.config.tasks))  # a missing library raises before training
        return makers

    def open_loggers(self) -> dict[str, Logger[Any]]:
        """Return the loggers, which have written nothing yet.

        Returns:
            One logger per entry of ``train.log``, by name.

        Raises:
            TrainingError: a library that a logger requires is not installed.
        """
        return {name: logger.cls(logger.settings) for name, logger in self.loggers.items()}

    def _open_source(self, index: int) -> DatasetSource[Any]:
        source = self.sources[index]
        root = self.config.data.root / (self.config.data.sources[index].root or "")
        if not source.cls.generated and not root.is_dir():
            raise self._missing_folder(index, root)
        allows_outside = source.cls.generated or self.config.data.allow_outside_root
        folders = (self.config.data.root, root)
        roots = None
        if not allows_outside:
            roots = Roots(*folders, *_outside(folders, _paths_in(source.settings)))
        try:
            with confine_reading(roots):
                opened = source.cls(source.settings, root=root, seed=self.config.seed)
            if roots is not None:
                _require_files_below(roots, opened)
        except DataError as error:
            raise error.named_in(self.where("data", "sources", index)) from error
        except RecursionError as error:
            raise DataError(
                f"a value in the data files in {root} is nested too deeply",
                where=self.where("data", "sources", index),
                next_step="correct the data files, which may be damaged",
            ) from error
        return opened

    def _missing_folder(self, index: int, root: Path) -> ConfigError:
        """Return the error that names the wrong key: the source's root or ``data.root``."""
        parent = self.config.data.root
        if parent.is_dir():
            return ConfigError(
                f"the folder {root} does not exist",
                where=self.where("data", "sources", index, "root"),
                next_step=self._next_step_for_root(index),
            )
        return ConfigError(
            f"the folder {root} does not exist",
            where=self.where("data", "root"),
            next_step="set the folder of the data by `--data-root PATH` or by the environment "
            "variable MTLSEARCH_DATA_ROOT",
        )

    def _next_step_for_root(self, index: int) -> str:
        """Return what to set: ``data.root``, or the root of the source if that is absolute."""
        root = self.config.data.sources[index].root
        key = f"data.sources.{index}.root"
        if root is None or root.is_absolute():
            return f"set `{key}` to the folder of the images"
        return (
            f"set `data.root`, which is {self.config.data.root}, to the folder that contains "
            f"{root} (--data-root DIR), or `{key}` to a path relative to it"
        )

    def _build_task(self, name: str, labels: Mapping[str, LabelSpec]) -> Task[Any]:
        kind, label = self.tasks[name], self.config.label_of(name)
        spec = labels.get(label)
        if spec is None:
            raise self._missing_label(name, labels)
        if spec.form not in kind.cls.accepts:
            forms = " or ".join(form.value for form in kind.cls.accepts)
            raise ConfigError(
                f"{kind.cls.kind} learns labels of the form {forms}; {label!r} is a "
                f"{spec.describe()}",
                where=self._where_label(name),
                allowed=_fitting(kind.cls, labels),
                next_step="run `mtlsearch list tasks` for the forms that each kind accepts",
            )
        return kind.cls(name, kind.settings, spec)

    def _missing_label(self, name: str, labels: Mapping[str, LabelSpec]) -> ConfigError:
        kind, label = self.tasks[name].cls, self.config.label_of(name)
        fitting = ", ".join(_fitting(kind, labels)) or "none"
        return ConfigError(
            f"task {name!r} learns the label {label!r}, which no data source provides"
            f"{did_you_mean(label, labels)}",
            where=self._where_label(name),
            allowed=[f"{label} ({spec.form})" for label, spec in labels.items()],
            next_step=f"set `label: NAME` in the task; labels for {kind.kind}: {fitting}",
        )

    def _where_label(self, name: str) -> str:
        keys = ("tasks", name, "label") if self.config.tasks[name].label else ("tasks", name)
        return self.where(*keys)


_LABEL = TypeAdapter(LabelSpec)


def _require_files_below(roots: Roots, source: DatasetSource[Any]) -> None:
    """Check that all files of a source lie in some folders, before one of them is read."""
    checked: set[Path] = set()  # most rows name the index file again
    for split in SPLITS:
        for index in range(source.size(split)):
            try:
                files = source.files(split, index) or ()
            except DataError:
                continue  # reported when the image is read, together with those of other images
            for file in files:
                if file not in checked and not roots.contains(file):
                    roots.require(file, source.locate(split, index))
                checked.add(file)


def _paths_in(settings: object) -> Iterator[Path]:
    """Yield the paths in the settings of a source, which the run file names."""
    if isinstance(settings, Path):
        yield settings
    elif isinstance(settings, Settings):
        for _, value in settings:
            yield from _paths_in(value)
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from _paths_in(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _paths_in(value)


def _outside(folders: tuple[Path, Path], paths: Iterator[Path]) -> list[Path]:
    """Return the paths that, as written, lead outside of both the data root and a source's root.

    The run file is trusted, and these paths are in it. A path below a root can be a link that came
    with the data, which is not trusted.
    """
    roots = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100
    named = [folders[1] / path for path in paths]
    return [
        path
        for path in named
        if not any(Path(os.path.abspath(path)).is_relative_to(root) for root in roots)  # noqa: PTH100
    ]


def _fitting(kind: type[Task[Any]], labels: Mapping[str, LabelSpec]) -> list[str]:
    """Return the labels of a form that the task kind accepts."""
    return [name for name, spec in labels.items() if spec.form in kind.accepts]
