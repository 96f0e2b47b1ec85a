"""Loading of a run file: read, override, validate."""

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
from mtlsearch.config._save import plain
from mtlsearch.config._storage import STORAGE_PASSWORD, fill_password
from mtlsearch.errors import ConfigError

_WORDS_BY_KEY: dict[KeyPath, tuple[str, ...]] = {
    ("data", "cache"): ("auto",),
    ("search", "warm_start"): ("affinity", "estimate"),
}
"""Keys of paths with words that are not paths."""

_WEIGHTS: KeyPath = ("backbone", "checkpoint_path")
_CHECKPOINTS: KeyPath = ("backbone", "checkpoints")

DATA_ROOT = "MTLSEARCH_DATA_ROOT"
"""Environment variable that sets ``data.root``."""


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run file as a value, with the location of each key.

    Attributes:
        config: the values, with absolute paths.
        origins: the locations of the keys, for messages.
    """

    config: RunConfig
    origins: SourceLocations = field(default_factory=SourceLocations)

    def where(self, *keys: Key) -> str:
        """Return the location and the dotted path of a key.

        Args:
            keys: path of the key.

        Returns:
            Location and path, such as ``"run.yaml:12 (train.epochs)"``.
        """
        return self.origins.where(*keys)

    def require_one_start(self) -> None:
        """Check that the run file sets only one kind of initial weights.

        A saved run file may set both.

        Raises:
            ConfigError: ``pretrained`` and ``checkpoint_path`` are both set.
        """
        backbone = self.config.backbone
        if backbone.pretrained and backbone.checkpoint_path is not None:
            raise ConfigError(
                "`backbone.pretrained: true` and `backbone.checkpoint_path` exclude each other: "
                "the weights of the file would replace those of timm",
                where=self.where("backbone", "checkpoint_path"),
                next_step="remove one of them; for the file, set `backbone.pretrained: false`",
            )

    def require_paths(self) -> None:
        """Check that the files and folders in the run file exist.

        Raises:
            ConfigError: paths do not exist; the message lists each with its line.
        """
        problems = ConfigErrors(self.origins)
        for index, folder in enumerate(self.config.plugins):
            if not folder.is_dir():
                problems.add(f"the folder {folder} does not exist", ("plugins", index))
        weights = [(_WEIGHTS, self.config.backbone.checkpoint_path)]
        for task, path in (self.config.backbone.checkpoints or {}).items():
            weights.append(((*_CHECKPOINTS, task), path))
        for keys, file in weights:
            if file is not None and not file.is_file():
                problems.add(*self._missing_weights(file, keys))
        root = self.config.data.root
        if not root.is_dir():
            next_step = "set the folder of the data by --data-root PATH, by `data.root` or by the "
            next_step += f"environment variable {DATA_ROOT}"
            problems.add(f"the folder {root} does not exist", ("data", "root"), next_step=next_step)
        problems.raise_if_any()

    def _missing_weights(
        self, path: Path, keys: KeyPath
    ) -> tuple[str, KeyPath, tuple[str, ...], str]:
        """Return a problem that names the folders in which a weights file was searched."""
        folder, root = Path(self.origins.file).parent.absolute(), self.config.data.root
        searched = f"the folder of the run file ({folder})"
        if root != folder:
            searched += f" or, if only that has the file, in `data.root` ({root})"
        next_step = f"correct the path; a relative path starts in {searched}"
        if self.origins.file and path.is_relative_to(folder):
            name = path.relative_to(folder)
            next_step = f"set --data-root PATH to the folder that contains {name}, or {next_step}"
        return f"the file {path} does not exist", keys, (), next_step


def load_run(
    source: str | Path | Mapping[str, Any] | RunConfig,
    overrides: Sequence[str | Override] = (),
    *,
    env: Mapping[str, str] | None = None,
    plugins: Sequence[Path] = (),
) -> LoadedRun:
    """Read and validate a run file.

    Relative paths in the file start in its folder; weights of the backbone start in ``data.root``
    where the file exists there only. Relative paths in overrides, in the environment
    and in values without a file start in the working directory.

    Args:
        source: the YAML file, or its values: a mapping, or those of another run.
        overrides: each ``KEY=VALUE``, as behind ``--set``, or an :class:`Override`; the last wins.
        env: the environment. ``MTLSEARCH_DATA_ROOT`` replaces ``data.root`` of the file; an
            override replaces both. ``MTLSEARCH_STORAGE_PASSWORD`` is the password of a storage
            URL that has a user and no password, or a hidden one.
        plugins: additional plugin folders.

    Returns:
        The run file with the locations of its keys.

    Raises:
        ConfigError: the run file is wrong; the message lists every problem with its line.
    """
    tree, lines, file = _read(source)
    origins: dict[KeyPath, str] = {}
    root = (env or {}).get(DATA_ROOT)
    if root and isinstance(tree.get("data"), dict):
        tree = _override(tree, origins, ("data", "root"), root, f"env {DATA_ROOT}={root}")
    for item in overrides:
        override = parse_override(item) if isinstance(item, str) else item
        tree = _override(tree, origins, override.keys, override.value, override.origin)
    for folder in plugins:
        tree = _append_plugin(tree, origins, folder)
    tree = _with_absolute_paths(tree, origins, Path(file).parent)
    storage, password = _value(tree, ("search", "storage")), (env or {}).get(STORAGE_PASSWORD)
    if password and isinstance(storage, str):
        tree = with_value(tree, ("search", "storage"), fill_password(storage, password), "")
    return _validate(tree, SourceLocations(file, tree, lines, origins))


def _read(
    source: str | Path | Mapping[str, Any] | RunConfig,
) -> tuple[dict[str, Any], dict[KeyPath, int], str]:
    """Return the values of a run file, the line of each key and the path of the file."""
    if isinstance(source, str | Path):
        return *read_yaml(Path(source)), str(source)
    if isinstance(source, RunConfig):
        return plain(source), {}, ""
    if isinstance(source, Mapping):
        return plain(dict(source)), {}, ""
    raise ConfigError(
        f"a run file is a path, a mapping or the `config` of a run, got {type(source).__name__}",
        next_step="pass the path of a YAML file, or its keys as a dictionary",
    )


def _validate(tree: dict[str, Any], locations: SourceLocations) -> LoadedRun:
    try:
        return LoadedRun(RunConfig.model_validate(tree), locations)
    except ValidationError as error:
        problems = ConfigErrors(locations)
        problems.explain(error, RunConfig)
        raise problems.error() from error


def _override(
    tree: dict[str, Any],
    origins: dict[KeyPath, str],
    keys: KeyPath,
    value: Any,
    origin: str,
) -> dict[str, Any]:
    """Set one key; forget the origins of keys below it."""
    changed: dict[str, Any] = with_value(tree, keys, value, origin)
    path = SourceLocations(tree=changed).locate(keys)
    for earlier in [key for key in origins if key[: len(path)] == path]:
        del origins[earlier]
    origins[path] = origin
    return changed


def _append_plugin(
    tree: dict[str, Any], origins: dict[KeyPath, str], folder: Path
) -> dict[str, Any]:
    folders = tree.get("plugins") or []
    if not isinstance(folders, list):
        return tree  # validation reports the wrong type
    origins["plugins", str(len(folders))] = f"--plugins {folder}"
    return {**tree, "plugins": [*folders, str(folder)]}


def _with_absolute_paths(
    tree: dict[str, Any], origins: Mapping[KeyPath, str], folder: Path
) -> dict[str, Any]:
    """Make paths absolute, so that the saved run file does not depend on a folder."""
    data, plugins = tree.get("data"), tree.get("plugins")
    if isinstance(data, dict) and data.get("root") is None:
        tree = {**tree, "data": {**data, "root": "."}}
    path_keys: list[KeyPath] = [
        ("data", "root"),
        *_WORDS_BY_KEY,
    ]
    checkpoints = _value(tree, _CHECKPOINTS)
    weights = [_WEIGHTS]
    if isinstance(checkpoints, dict):
        weights += [(*_CHECKPOINTS, task) for task in checkpoints if isinstance(task, str)]
    path_keys += weights
    if isinstance(plugins, list):
        path_keys += [("plugins", str(index)) for index in range(len(plugins))]
    for keys in path_keys:
        value = _value(tree, keys)
        if isinstance(value, str) and value not in _WORDS_BY_KEY.get(keys, ()):
            is_overridden = any(keys[: len(path)] == path for path in origins)
            base = Path.cwd() if is_overridden else folder
            absolute = os.path.abspath(base / os.path.expanduser(value))  # noqa: PTH100, PTH111
            if keys in weights and not is_overridden and not Path(absolute).is_file():
                absolute = _below_data_root(tree, value) or absolute
            tree = with_value(tree, keys, absolute, "")
    return tree


def _below_data_root(tree: Any, value: str) -> str | None:
    """Return the absolute path of a file below ``data.root``; None where it does not exist."""
    root = _value(tree, ("data", "root"))
    path = Path(root) / value if isinstance(root, str) else None
    return os.path.abspath(path) if path and path.is_file() else None  # noqa: PTH100


def _value(tree: Any, keys: KeyPath) -> Any:
    for key in keys:
        if isinstance(tree, dict):
            tree = tree.get(key)
        elif isinstance(tree, list):
            tree = tree[int(key)] if key.isdecimal() and int(key) < len(tree) else None
        else:
            return None
    return tree
