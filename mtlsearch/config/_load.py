"""A run file read, overridden and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtlsearch.config._errors import ConfigErrors
from mtlsearch.config._locations import Key, KeyPath, SourceLocations
from mtlsearch.config._override import Override, parse_override, with_value
from mtlsearch.config._read import read_yaml
from mtlsearch.config._run import RunConfig
from mtlsearch.config._storage import STORAGE_PASSWORD, fill_password
from mtlsearch.errors import ConfigError

_WORDS: dict[KeyPath, str] = {("data", "cache"): "auto", ("search", "warm_start"): "affinity"}
"""Keys of paths that may hold a word instead."""

DATA_ROOT = "MTLSEARCH_DATA_ROOT"
"""The environment variable that sets ``data.root``."""


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run file as a value, and where each part of it was written.

    Attributes:
        config: the checked run file; its paths are absolute.
        origins: lines of its keys, for messages.
    """

    config: RunConfig
    origins: SourceLocations = field(default_factory=SourceLocations)

    def where(self, *keys: Key) -> str:
        """Place and dotted path of a key: ``"run.yaml:12 (train.epochs)"``."""
        return self.origins.where(*keys)

    def require_one_start(self) -> None:
        """Be sure that weights to start from are asked for once; a saved run may ask twice.

        Raises:
            ConfigError: ``pretrained`` and ``checkpoint_path`` are both given.
        """
        backbone = self.config.backbone
        if backbone.pretrained and backbone.checkpoint_path is not None:
            raise ConfigError(
                "backbone.pretrained: true and backbone.checkpoint_path both say which weights to "
                "start from; those of the file would replace timm's",
                where=self.where("backbone", "checkpoint_path"),
                next_step="leave one of them out; for the file, set pretrained: false",
            )

    def require_paths(self) -> None:
        """Be sure that the files and folders named in it are there.

        Raises:
            ConfigError: some are not; it names each with its line.
        """
        problems = ConfigErrors(self.origins)
        for at, folder in enumerate(self.config.plugins):
            if not folder.is_dir():
                problems.add(f"there is no folder {folder}", ("plugins", at))
        weights = self.config.backbone.checkpoint_path
        if weights is not None and not weights.is_file():
            problems.add(f"there is no file {weights}", ("backbone", "checkpoint_path"))
        root = self.config.data.root
        if not root.is_dir():
            problems.add(f"there is no folder {root}", ("data", "root"))
        problems.raise_if_any()


def load_run(
    path: str | Path,
    overrides: Sequence[str | Override] = (),
    *,
    env: Mapping[str, str] | None = None,
    plugins: Sequence[Path] = (),
) -> LoadedRun:
    """Read and check a run file.

    Relative paths in the file start from its own folder, those in overrides and in the
    environment from the working directory.

    Args:
        path: the YAML file.
        overrides: each ``KEY=VALUE``, as behind ``--set``, or an :class:`Override`; the last wins.
        env: the environment; ``MTLSEARCH_DATA_ROOT`` in it replaces ``data.root`` of the
            file, an override replaces both. ``MTLSEARCH_STORAGE_PASSWORD`` is the password of
            a storage URL that has a user and no password, or a hidden one.
        plugins: further plugin folders.

    Raises:
        ConfigError: something is wrong; it lists every problem with its line.
    """
    tree, lines = read_yaml(Path(path))
    given: dict[KeyPath, str] = {}
    root = (env or {}).get(DATA_ROOT)
    if root and isinstance(tree.get("data"), dict):
        tree = _override(tree, given, ("data", "root"), root, f"env {DATA_ROOT}={root}")
    for item in overrides:
        override = parse_override(item) if isinstance(item, str) else item
        tree = _override(tree, given, override.keys, override.value, override.origin)
    for folder in plugins:
        tree = _append_plugin(tree, given, folder)
    tree = _with_absolute_paths(tree, given, Path(path).parent)
    storage, password = _value(tree, ("search", "storage")), (env or {}).get(STORAGE_PASSWORD)
    if password and isinstance(storage, str):
        tree = with_value(tree, ("search", "storage"), fill_password(storage, password), "")
    origins = SourceLocations(str(path), tree, lines, given)
    try:
        return LoadedRun(RunConfig.model_validate(tree), origins)
    except ValidationError as error:
        problems = ConfigErrors(origins)
        problems.explain(error, RunConfig)
        raise problems.error() from error


def _override(
    tree: dict[str, Any],
    given: dict[KeyPath, str],
    keys: KeyPath,
    value: Any,
    origin: str,
) -> dict[str, Any]:
    changed: dict[str, Any] = with_value(tree, keys, value, origin)
    at = SourceLocations(tree=changed).locate(keys)
    for older in [path for path in given if path[: len(at)] == at]:
        del given[older]
    given[at] = origin
    return changed


def _append_plugin(tree: dict[str, Any], given: dict[KeyPath, str], folder: Path) -> dict[str, Any]:
    before = tree.get("plugins") or []
    if not isinstance(before, list):
        return tree  # the models say what is wrong with it
    given["plugins", str(len(before))] = f"--plugins {folder}"
    return {**tree, "plugins": [*before, str(folder)]}


def _with_absolute_paths(
    tree: dict[str, Any], given: Mapping[KeyPath, str], folder: Path
) -> dict[str, Any]:
    """Paths made absolute, so that the saved run file means the same anywhere."""
    data, plugins = tree.get("data"), tree.get("plugins")
    if isinstance(data, dict) and data.get("root") is None:
        tree = {**tree, "data": {**data, "root": "."}}
    places: list[KeyPath] = [("data", "root"), *_WORDS, ("backbone", "checkpoint_path")]
    if isinstance(plugins, list):
        places += [("plugins", str(at)) for at in range(len(plugins))]
    for keys in places:
        value = _value(tree, keys)
        if isinstance(value, str):
            if value == _WORDS.get(keys):
                continue
            was_given = any(keys[: len(path)] == path for path in given)
            base = Path.cwd() if was_given else folder
            absolute = os.path.abspath(base / Path(value).expanduser())  # noqa: PTH100
            tree = with_value(tree, keys, absolute, "")
    return tree


def _value(tree: Any, keys: KeyPath) -> Any:
    for key in keys:
        if isinstance(tree, dict):
            tree = tree.get(key)
        elif isinstance(tree, list):
            tree = tree[int(key)]
        else:
            return None
    return tree
