"""JSON in which no key occurs twice in an object."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')
"""A string, or a mark that separates values."""


def load_json(
    text: str,
    *,
    parse_constant: Callable[[str], Any] | None = None,
    parse_float: Callable[[str], Any] | None = None,
    allow_half_pairs: bool = False,
) -> Any:
    """Return the value of a JSON document.

    Args:
        text: the document.
        parse_constant: value of NaN, Infinity and -Infinity; None for a float.
        parse_float: value of a number with a decimal point or an exponent; None for a float.
        allow_half_pairs: whether texts may contain half of a surrogate pair, which no file and no
            terminal accepts. A caller that allows it checks the texts that it uses.

    Returns:
        The value.

    Raises:
        ValueError: the text is not JSON, is nested too deeply, has a number of too many digits, or
            has half of a surrogate pair that is not allowed.
            A key occurs twice in an object; the message contains both places.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=parse_constant,
            parse_float=parse_float,
        )
        if not allow_half_pairs and _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as error:
        raise ValueError("a text contains half of a surrogate pair") from error
    except _RepeatedKeyError as error:
        raise ValueError(next(_repeated_keys(text), str(error))) from error
    except RecursionError as error:
        raise ValueError("the values are nested too deeply") from error


class _RepeatedKeyError(ValueError):
    """A key occurs twice in an object."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in value if names.count(name) > 1)
        raise _RepeatedKeyError(f"the key {repeated!r} occurs twice in an object")
    return value


@dataclass(slots=True)
class _Open:
    """An object or a list that is being read.

    Attributes:
        path: its place in the document, such as ``images[3]``.
        is_object: whether it is an object.
        places: line and column of each key of an object.
        index: index of the current value in a list.
        key: the key before the current value.
    """

    path: str
    is_object: bool
    places: dict[str, str] = field(default_factory=dict)
    index: int = 0
    key: str = ""

    @property
    def value_path(self) -> str:
        if not self.is_object:
            return f"{self.path}[{self.index}]"
        return f"{self.path}.{self.key}" if self.path else self.key


def _repeated_keys(text: str) -> Iterator[str]:
    """Yield a message for each key that occurs twice in an object of a JSON document."""
    opened: list[_Open] = []
    last, line, end = "", 1, 0
    place = ""
    for token in _TOKEN.finditer(text):
        mark, start = token.group(), token.start()
        line, end = line + text.count("\n", end, start), start
        top = opened[-1] if opened else None
        if mark in "{[":
            opened.append(_Open(top.value_path if top else "", mark == "{"))
        elif mark in "}]":
            opened.pop()
        elif mark == "," and top:
            top.index += 1
        elif mark == ":" and top:
            top.key = json.loads(last)
            if top.key in top.places:
                path = top.path.encode(errors="backslashreplace").decode()
                where = f"in {path}" if path else "in the outermost object"
                first = top.places[top.key]
                yield f"the key {top.key!r} occurs twice {where}: {first} and {place}"
            top.places[top.key] = place
        else:
            column = start - text.rfind("\n", 0, start)
            last, place = mark, f"line {line} column {column}"
