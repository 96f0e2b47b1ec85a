"""YAML in which no alias multiplies the values, with the line of each key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

MAX_ENTRIES = 100_000
"""Maximum number of values in a file. Nested anchors multiply them without limit."""

MAX_DEPTH = 100
"""Maximum number of brackets that are open at a time."""

_INVALID_VALUES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)
"""Errors of a value that does not fit its tag, such as ``!!float text``, and of deep nesting."""

_DUPLICATE = re.compile(r'found duplicate key "(?P<key>.*?)" with value', re.DOTALL)


class YamlError(ValueError):
    """A text is not valid YAML.

    Args:
        what: what is wrong.
        line: line of the problem, from 1; None if it is not known.
        next_step: how to fix it, in the imperative.
    """

    def __init__(self, what: str, line: int | None = None, next_step: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.next_step = next_step


def load_yaml(text: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Return the value of a YAML document, and the line of each key and item.

    Args:
        text: the document.

    Returns:
        The value, None for an empty document; and lines from 1 by path, in which indices of lists
        are digits.

    Raises:
        YamlError: the text is not valid YAML, contains a key twice, a value that does not fit its
            tag, a key that is a list or a mapping, half of a surrogate pair, an alias that contains
            itself, or more than :data:`MAX_ENTRIES` values, counted with those of its aliases.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    _require_shallow(text)
    node = None
    try:
        constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(StringIO(text))
        node = constructor.composer.get_single_node()
        entries = list(islice(_lines(node, (), ()), MAX_ENTRIES + 1))
        if len(entries) > MAX_ENTRIES:
            raise YamlError(
                f"the file has more than {MAX_ENTRIES} values, counted with those of its anchors",
                next_step="remove anchors that repeat others",
            )
        value = None if node is None else constructor.construct_document(node)
    except YamlError:
        raise
    except YAMLError as error:
        raise _explain(error) from error
    except _INVALID_VALUES as error:
        raise _invalid_value(error, _line_of_invalid(node)) from error
    return value, dict(entries)


def _require_shallow(text: str) -> None:
    """Check the depth of brackets: the time of the scanner grows with the square of it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.tokens import (
        FlowMappingEndToken,
        FlowMappingStartToken,
        FlowSequenceEndToken,
        FlowSequenceStartToken,
    )

    depth = 0
    # The tokens tell brackets from those in quotes and comments. They are scanned one by one, so
    # that the scanner stops at the maximum depth. The parser explains errors of the scanner.
    with suppress(YAMLError):
        for token in YAML(typ="safe", pure=True).scan(StringIO(text)):
            if isinstance(token, FlowSequenceStartToken | FlowMappingStartToken):
                depth += 1
            elif isinstance(token, FlowSequenceEndToken | FlowMappingEndToken):
                depth -= 1
            if depth > MAX_DEPTH:
                raise YamlError(
                    "the YAML is not valid: its values are nested too deeply",
                    token.start_mark.line + 1,
                    f"close each bracket; at most {MAX_DEPTH} can be open at a time",
                )


def _lines(
    node: Node | None, path: tuple[str, ...], above: tuple[Node, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each key below a node with its line; raise if an alias contains itself."""
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if node is not None and any(node is ancestor for ancestor in above):
        raise YamlError("the YAML anchor contains itself", node.start_mark.line + 1)
    if isinstance(node, ScalarNode):
        _require_text(node)
    if isinstance(node, MappingNode):
        for key, _ in node.value:
            # The text of another key contains all of its aliases.
            if not isinstance(key, ScalarNode):
                raise YamlError("a key must be a text or a number", key.start_mark.line + 1)
        items = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, SequenceNode):
        items = [(str(index), value, value) for index, value in enumerate(node.value)]
    else:
        return
    for name, marked, value in items:
        if isinstance(marked, ScalarNode):
            _require_text(marked)
        yield (*path, name), marked.start_mark.line + 1
        yield from _lines(value, (*path, name), (*above, node))


def _require_text(node: Node) -> None:
    text = str(node.value)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise YamlError(
            "a text contains half of a surrogate pair", node.start_mark.line + 1, "correct the text"
        )


def _line_of_invalid(node: Node | None) -> int | None:
    """Return the line of the first scalar that cannot be constructed."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import MappingNode, ScalarNode

    constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(StringIO(""))
    remaining = [] if node is None else [node]
    while remaining:
        top = remaining.pop()
        if isinstance(top, ScalarNode):
            try:
                constructor.construct_document(top)
            except (YAMLError, *_INVALID_VALUES):
                return int(top.start_mark.line) + 1
        elif isinstance(top, MappingNode):
            remaining += [part for pair in reversed(top.value) for part in reversed(pair)]
        else:
            remaining += reversed(top.value)
    return None


def _invalid_value(error: Exception, line: int | None) -> YamlError:
    reason = (
        "its values are nested too deeply"
        if isinstance(error, RecursionError)
        else f"a value does not fit its type or tag: {error}"
    )
    return YamlError(
        f"the YAML is not valid: {reason}",
        line,
        "remove tags such as `!!float`, and write plain numbers and text",
    )


def _explain(error: Exception) -> YamlError:
    """Return the error of a YAML problem, with its line."""
    from ruamel.yaml.error import MarkedYAMLError

    if not isinstance(error, MarkedYAMLError):
        return YamlError(f"the YAML is not valid: {str(error).splitlines()[0]}")
    mark = error.problem_mark or error.context_mark
    line = None if mark is None else mark.line + 1
    problem = str(error.problem or error.context)
    if duplicate := _DUPLICATE.match(problem):
        return YamlError(f"key {duplicate['key']!r} occurs twice", line, "remove one of them")
    return YamlError(f"the YAML is not valid: {problem}", line)
