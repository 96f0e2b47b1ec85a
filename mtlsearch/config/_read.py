"""YAML file as plain values, with the line of each key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from mtlsearch.config._locations import KeyPath
from mtlsearch.errors import ConfigError

MAX_ENTRIES = 100_000
"""Maximum number of values in a run file. Nested anchors multiply them without limit."""


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return the mapping in a file, and the line of each key, from 1.

    Raises:
        ConfigError: the file does not exist, is not valid YAML, contains a key twice, or is not a
            mapping.
    """
    text = _read_text(path)
    try:
        constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(StringIO(text))
        node = constructor.composer.get_single_node()
        entries = list(islice(_lines(node, (), (), str(path)), MAX_ENTRIES + 1))
        tree = None if node is None else constructor.construct_document(node)
    except YAMLError as error:
        raise _explain(error, str(path)) from error
    except _INVALID_VALUES as error:
        raise _invalid_value(error, str(path)) from error
    if len(entries) > MAX_ENTRIES:
        raise ConfigError(
            f"the run file has more than {MAX_ENTRIES} values, counted with those of its anchors",
            where=str(path),
            next_step="remove anchors that repeat others",
        )
    if tree is None:
        raise ConfigError(
            "the run file is empty",
            where=str(path),
            next_step="run `mtlsearch init DIR` to write a run file",
        )
    if not isinstance(tree, dict):
        raise ConfigError(
            f"the run file must be a mapping of keys, got a {type(tree).__name__}", where=str(path)
        )
    return tree, dict(entries)


def read_value(text: str, where: str) -> Any:
    """Parse one YAML value, as behind ``--set``.

    Raises:
        ConfigError: the text is not valid YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise _explain(error, where) from error
    except _INVALID_VALUES as error:
        raise _invalid_value(error, where) from error


def _read_text(path: Path) -> str:
    if path.is_dir():
        inside = path / "run.yaml"
        hint = f"pass the run file in it: {inside}"
        if not inside.is_file():
            hint = f"pass a YAML file; `mtlsearch init {path}` writes a run file to this folder"
        raise ConfigError("the path is a folder, not a run file", where=str(path), next_step=hint)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "the run file does not exist",
            where=str(path),
            next_step="run `mtlsearch init DIR` to write a run file",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the run file is not UTF-8 text: byte 0x{error.object[error.start]:02x} at position "
            f"{error.start}",
            where=str(path),
            next_step="save the file with the encoding UTF-8",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the run file cannot be read: {(error.strerror or str(error)).lower()}",
            where=str(path),
            next_step="pass another file, or change the permissions of this one",
        ) from error


def _lines(
    node: Node | None, path: KeyPath, above: tuple[Node, ...], file: str
) -> Iterator[tuple[KeyPath, int]]:
    """Yield each key below a node with its line; raise if an alias contains itself."""
    if any(node is ancestor for ancestor in above):
        line = node.start_mark.line + 1 if node is not None else 0
        raise ConfigError("the YAML anchor contains itself", where=f"{file}:{line}")
    if isinstance(node, MappingNode):
        items = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, SequenceNode):
        items = [(str(index), value, value) for index, value in enumerate(node.value)]
    else:
        return
    for name, marked, value in items:
        yield (*path, name), marked.start_mark.line + 1
        yield from _lines(value, (*path, name), (*above, node), file)


_INVALID_VALUES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)
"""Errors of a value that does not fit its tag, such as ``!!float text``, and of deep nesting."""


def _invalid_value(error: Exception, where: str) -> ConfigError:
    reason = (
        "its values are nested too deeply"
        if isinstance(error, RecursionError)
        else f"a value does not fit its type or tag: {error}"
    )
    return ConfigError(
        f"the YAML is not valid: {reason}",
        where=where,
        next_step="remove tags such as `!!float`, and write plain numbers and text",
    )


_DUPLICATE = re.compile(r'found duplicate key "(?P<key>.*?)" with value', re.DOTALL)


def _explain(error: YAMLError, where: str) -> ConfigError:
    """Return the error of a YAML problem, with its line."""
    if not isinstance(error, MarkedYAMLError):
        return ConfigError(f"the YAML is not valid: {str(error).splitlines()[0]}", where=where)
    mark = error.problem_mark or error.context_mark
    place = where if mark is None or where.startswith("--") else f"{where}:{mark.line + 1}"
    problem = str(error.problem or error.context)
    if duplicate := _DUPLICATE.match(problem):
        return ConfigError(
            f"key {duplicate['key']!r} occurs twice", where=place, next_step="remove one of them"
        )
    return ConfigError(f"the YAML is not valid: {problem}", where=place)
