"""Imports and strings of a package, read from source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name.

    Attributes:
        place: ``file:line`` of the import.
        module: dotted name of the imported module.
        name: the imported name; empty if the module itself is imported.
    """

    place: str
    module: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.place} imports {self.module}{f'.{self.name}' if self.name else ''}"


@dataclass(frozen=True)
class Tree:
    """A package on disk.

    Attributes:
        name: import name.
        folder: folder with its files.
        modules: file by dotted name, of every module and package.
    """

    name: str
    folder: Path
    modules: Mapping[str, Path] = field(init=False)

    def __post_init__(self) -> None:
        modules = {
            ".".join((self.name, *_parts(file.relative_to(self.folder)))): file
            for file in sorted(self.folder.rglob("*.py"))
        }
        object.__setattr__(self, "modules", modules)

    def package_of(self, module: str) -> str:
        """Return the package that relative imports of a module start from."""
        is_package = self.modules[module].name == "__init__.py"
        return module if is_package else module.rpartition(".")[0]

    def texts(self, module: str) -> Iterator[tuple[str, str]]:
        """Yield every string of a module except docstrings, with its place."""
        nodes = _nodes(self.modules[module])
        bare = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and id(node) not in bare:
                value = node.value
                if isinstance(value, str):
                    yield self._place(module, node), value

    def imports(self, module: str, *others: Tree) -> Iterator[Import]:
        """Yield all imports of a module: at the top, in functions and for types only.

        A string that names a module counts as an import, because it may be imported later. The
        name of the package itself does not: it is imported already, and also names a study.

        Args:
            module: a module of this tree.
            others: further trees, to distinguish a submodule from another name.
        """
        modules = {name for tree in (self, *others) for name in tree.modules}
        for node in _nodes(self.modules[module]):
            place = self._place(module, node)
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(place, alias.name)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(module, node)
                for alias in node.names:
                    below = f"{base}.{alias.name}"
                    is_module = below in modules
                    yield Import(place, below) if is_module else Import(place, base, alias.name)
        for place, text in self.texts(module):
            if text in modules and text != self.name:
                yield Import(place, text)

    def _absolute(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        above = self.package_of(module).split(".")
        start = above[: len(above) - node.level + 1]
        return ".".join([*start, *([node.module] if node.module else [])])

    def _place(self, module: str, node: ast.AST) -> str:
        file = self.modules[module].relative_to(self.folder.parent)
        return f"{file}:{getattr(node, 'lineno', 0)}"


@cache
def _nodes(file: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def _parts(file: Path) -> tuple[str, ...]:
    return file.parent.parts if file.name == "__init__.py" else (*file.parent.parts, file.stem)
