"""A YAML file as plain values, with the line of every key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from mtlsearch.config._locations import KeyPath
from mtlsearch.errors import ConfigError


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The mapping in a file, and the line of each of its keys, from 1.

    Raises:
        ConfigError: no such file, no YAML, a key given twice, or something else than a
            mapping.
    """
    text = _read_text(path)
    try:
        constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(StringIO(text))
        node = constructor.composer.get_single_node()
        lines = dict(_lines(node, (), (), str(path)))
        tree = None if node is None else constructor.construct_document(node)
    except YAMLError as error:
        raise _explain(error, str(path)) from error
    if tree is None:
        raise ConfigError(
            "the run file is empty",
            where=str(path),
            next_step="`mtlsearch init DIR` writes one to start from",
        )
    if not isinstance(tree, dict):
        raise ConfigError(
            f"a run file is a mapping of keys, this is a {type(tree).__name__}", where=str(path)
        )
    return tree, lines


def read_value(text: str, where: str) -> Any:
    """One YAML value, as it stands behind a ``--set``.

    Raises:
        ConfigError: it is no YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise _explain(error, where) from error


def _read_text(path: Path) -> str:
    if path.is_dir():
        inside = path / "run.yaml"
        hint = f"it holds one: {inside}" if inside.is_file() else None
        raise ConfigError("this is a folder, not a run file", where=str(path), next_step=hint)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no such run file",
            where=str(path),
            next_step="`mtlsearch init DIR` writes one to start from",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the run file cannot be read: {error}", where=str(path)) from error


def _lines(
    node: Node | None, path: KeyPath, above: tuple[Node, ...], file: str
) -> Iterator[tuple[KeyPath, int]]:
    """Every key below a node with its line; an alias that holds itself is refused."""
    if any(node is ancestor for ancestor in above):
        line = node.start_mark.line + 1 if node is not None else 0
        raise ConfigError("this YAML anchor contains itself", where=f"{file}:{line}")
    if isinstance(node, MappingNode):
        items = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, SequenceNode):
        items = [(str(index), value, value) for index, value in enumerate(node.value)]
    else:
        return
    for name, marked, value in items:
        yield (*path, name), marked.start_mark.line + 1
        yield from _lines(value, (*path, name), (*above, node), file)


_DUPLICATE = re.compile(r'found duplicate key "(?P<key>.*?)" with value', re.DOTALL)


def _explain(error: YAMLError, where: str) -> ConfigError:
    """What is wrong with the YAML, in one sentence and with its line."""
    if not isinstance(error, MarkedYAMLError):
        return ConfigError(f"this is no YAML: {str(error).splitlines()[0]}", where=where)
    mark = error.problem_mark or error.context_mark
    place = where if mark is None or where.startswith("--") else f"{where}:{mark.line + 1}"
    problem = str(error.problem or error.context)
    if twice := _DUPLICATE.match(problem):
        return ConfigError(
            f"key {twice['key']!r} is given twice", where=place, next_step="keep one of them"
        )
    return ConfigError(f"this is no YAML: {problem}", where=place)
