"""Locations of run file values: a line of the file, a ``--set``, or the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = str | int
KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceLocations:
    """The line or option that set each key of a run file.

    Attributes:
        file: path of the run file as the user typed it; empty without a file.
        tree: content of the file after overrides.
        lines: line of each key of the file, from 1. List indices are keys of digits.
        overrides: origin of keys that are set elsewhere, such as ``"--set train.epochs=3"``.
    """

    file: str = ""
    tree: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    overrides: Mapping[KeyPath, str] = field(default_factory=dict)

    def where(self, *keys: Key) -> str:
        """Return the location and the dotted path of a key.

        Args:
            keys: path of the key.

        Returns:
            Location and path, such as ``"run.yaml:12 (train.epochs)"``.
        """
        path = tuple(str(key) for key in keys)
        place = self.place(path)
        name = ".".join(path)
        if not place or not name:
            return place or name
        return f"{place} ({name})"

    def place(self, path: KeyPath) -> str:
        """Return the file and line, ``--set`` or variable that set a key or its section.

        Args:
            path: path of the key.

        Returns:
            The location, such as ``"run.yaml:12"``.
        """
        full = self.locate(path)
        for length in range(len(full), 0, -1):
            part = full[:length]
            if part in self.overrides:
                return self.overrides[part]
            if part in self.lines:
                return f"{self.file}:{self.lines[part]}"
            for overridden, origin in self.overrides.items():
                if overridden[:length] == part:
                    return origin
        return self.file

    def locate(self, path: Sequence[Key]) -> KeyPath:
        """Return a path as it is written in the file.

        The index 0 is dropped where one mapping replaces a list, as are the names that pydantic
        adds for members of a union.

        Args:
            path: path in the model.

        Returns:
            Path in the file.
        """
        written: list[str] = []
        node: Any = self.tree
        for key in path:
            child = _child(node, key)
            if child is not _MISSING:
                written.append(str(key))
                node = child
        return tuple(written)


_MISSING = object()


def _child(node: Any, key: Key) -> Any:
    if isinstance(node, Mapping):
        matches = [child for name, child in node.items() if str(name) == str(key)]
        return matches[0] if matches else _MISSING
    if isinstance(node, list | tuple) and str(key).isdecimal() and int(key) < len(node):
        return node[int(key)]
    return _MISSING
