"""Where the values of a run file come from: a line of it, a ``--set``, the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = str | int
KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceLocations:
    """Answers "on which line does this key stand?".

    Attributes:
        file: the run file as the person named it; empty where there is none.
        tree: what was read, overrides applied.
        lines: line of each key of the file, from 1; list indices are keys as digits.
        overrides: keys set elsewhere, such as ``"--set train.epochs=3"``.
    """

    file: str = ""
    tree: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    overrides: Mapping[KeyPath, str] = field(default_factory=dict)

    def where(self, *keys: Key) -> str:
        """Place and dotted path of a key: ``"run.yaml:12 (train.epochs)"``."""
        path = tuple(str(key) for key in keys)
        place = self.place(path)
        name = ".".join(path)
        if not place or not name:
            return place or name
        return f"{place} ({name})"

    def place(self, path: KeyPath) -> str:
        """File and line, ``--set`` or variable that gave a key, or else what encloses it."""
        at = self.locate(path)
        for length in range(len(at), 0, -1):
            part = at[:length]
            if part in self.overrides:
                return self.overrides[part]
            if part in self.lines:
                return f"{self.file}:{self.lines[part]}"
            for path_set, origin in self.overrides.items():
                if path_set[:length] == part:
                    return origin
        return self.file

    def locate(self, path: Sequence[Key]) -> KeyPath:
        """The path as it stands in the file, without the steps that are not written there.

        One mapping may stand for a list of one, so its index is skipped; so are the names
        that pydantic gives to the arms of a union.
        """
        found: list[str] = []
        node: Any = self.tree
        for key in path:
            child = _child(node, key)
            if child is not _NOTHING:
                found.append(str(key))
                node = child
        return tuple(found)


_NOTHING = object()


def _child(node: Any, key: Key) -> Any:
    if isinstance(node, Mapping):
        matches = [child for name, child in node.items() if str(name) == str(key)]
        return matches[0] if matches else _NOTHING
    if isinstance(node, list | tuple) and str(key).isdigit() and int(key) < len(node):
        return node[int(key)]
    return _NOTHING
