"""Where plugins are looked for: entry points and folders."""

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
"""What names of modules from plugin folders begin with."""


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that was found and not loaded yet.

    Attributes:
        name: the entry point's name, or the file's without its suffix.
        where: distribution and module, or the file.
        version: version of the distribution; empty for files.
        load: imports it; raises whatever it raises.
    """

    name: str
    where: str
    version: str
    load: Callable[[], object]


def from_entry_points() -> Iterator[FoundPlugin]:
    """The plugins of installed packages, by name; a point that two paths give comes once."""
    points = {(point.name, point.value): point for point in entry_points(group=PROJECT)}
    for point in sorted(points.values()):
        yield FoundPlugin(point.name, _place(point), _version(point), point.load)


def _place(point: EntryPoint) -> str:
    dist = point.dist.name if point.dist else "an unknown package"
    return f"{dist}: {point.value}"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist else ""


def is_of_plugin(module: str) -> bool:
    """Whether a module belongs to a plugin: to its package, or to a file in a plugin folder."""
    top = module.partition(".")[0]
    points = entry_points(group=PROJECT)
    return top.startswith(_FOLDER) or any(top == at.module.partition(".")[0] for at in points)


def from_folders(folders: Sequence[Path]) -> Iterator[FoundPlugin]:
    """Every module and package of some folders, but for those whose name begins with ``_``.

    Raises:
        PluginError: a folder is not there.
    """
    for folder in dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders):
        if not folder.is_dir():
            raise PluginError(
                "there is no such plugin folder",
                where=str(folder),
                next_step="mend `plugins` in the run file, or `--plugins`",
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
    """Imports a file under a name that no other module has; ``sys.path`` stays as it is."""

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
            raise ImportError(f"{self.file} is no Python module")
        _forget(unique)
        module = importlib.util.module_from_spec(spec)
        sys.modules[unique] = module  # before running it: relative imports look here
        try:
            spec.loader.exec_module(module)
        except BaseException:
            _forget(unique)
            raise
        return module


def _forget(name: str) -> None:
    """Drop a module and its submodules, so that a changed file is read again."""
    for known in [at for at in sys.modules if at == name or at.startswith(f"{name}.")]:
        del sys.modules[known]
