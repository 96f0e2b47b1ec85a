"""Discovery of plugins in entry points and folders."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from mtlsearch.errors import PluginError
from mtlsearch.plugin import PROJECT

_FOLDER = f"_{PROJECT}_folder_"
"""Prefix of the names of modules from plugin folders."""


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A discovered plugin, not loaded yet.

    Attributes:
        name: name of the entry point, or of the file without its suffix.
        where: distribution and module, or the file.
        version: version of the distribution; empty for files.
        load: function that imports the plugin; it may raise any exception.
    """

    name: str
    where: str
    version: str
    load: Callable[[], object]


def from_entry_points() -> Iterator[FoundPlugin]:
    """Yield the plugins of installed packages by name; each entry point once."""
    points = {(point.name, point.value): point for point in entry_points(group=PROJECT)}
    for point in sorted(points.values()):
        yield FoundPlugin(point.name, _location(point), _version(point), point.load)


def _location(point: EntryPoint) -> str:
    dist = point.dist.name if point.dist else "an unknown package"
    return f"{dist}: {point.value}"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist else ""


def is_of_plugin(module: str) -> bool:
    """Return whether a module is part of a plugin package or of a file in a plugin folder.

    Args:
        module: full name of the module.

    Returns:
        True for modules of plugins.
    """
    top = module.partition(".")[0]
    points = entry_points(group=PROJECT)
    return top.startswith(_FOLDER) or any(top == point.module.partition(".")[0] for point in points)


def from_folders(folders: Sequence[Path]) -> Iterator[FoundPlugin]:
    """Yield the modules and packages of some folders, except names that start with ``_``.

    Raises:
        PluginError: a folder does not exist.
    """
    for folder in dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders):
        if not folder.is_dir():
            raise PluginError(
                "the plugin folder does not exist",
                where=str(folder),
                next_step="correct `plugins` in the run file, or `--plugins`",
            )
        for file in sorted(_modules(folder)):
            name = file.parent.name if file.name == "__init__.py" else file.stem
            yield FoundPlugin(name, str(file), "", _Loader(file, name))


def _modules(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name.startswith(("_", ".")):
            continue
        if entry.suffix == ".py":
            yield entry
        elif (entry / "__init__.py").is_file():
            yield entry / "__init__.py"


@dataclass(frozen=True, slots=True)
class _Loader:
    """Importer of a file under a unique module name, without a change of ``sys.path``."""

    file: Path
    name: str

    def __call__(self) -> ModuleType:
        digest = hashlib.sha256(str(self.file).encode()).hexdigest()[:8]
        unique = f"{_FOLDER}{digest}_{self.name}"
        package = [str(self.file.parent)] if self.file.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(
            unique, self.file, submodule_search_locations=package
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"{self.file} is not a Python module")
        _forget(unique)
        module = importlib.util.module_from_spec(spec)
        sys.modules[unique] = module  # before execution: relative imports look here
        try:
            spec.loader.exec_module(module)
        except BaseException:
            _forget(unique)
            raise
        return module


def _forget(name: str) -> None:
    """Remove a module and its submodules, so that a changed file is imported again."""
    for module in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[module]
