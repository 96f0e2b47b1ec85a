"""Strategies that change valid inputs: bytes, lines, tables, and trees of JSON and YAML."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

DEPTH = 3000


@dataclass(frozen=True)
class Raw:
    """A token that is written as it is."""

    text: str


class Pairs(list[tuple[Any, Any]]):
    """An object whose keys can occur twice."""


NUMBERS: Sequence[Any] = (
    *(0, -1, 1, 2, 255, 256, 65536, 2**31, 2**32 - 1, 2**63, -(2**63) - 1, 10**20, -(10**20)),
    *(0.5, -0.0, 1e-320, 1e20, 1e38, 1e39, 1e308),
    *map(Raw, ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 400, "1" * 5000)),
)
"""Numbers beside the ranges that readers expect."""

TEXTS: Sequence[Any] = (
    *("", " ", "\0", "a\0b", "\n", "true", "null", "nan", "inf", "1e999", "-0", "1_000", "0x10"),
    *("٣", "²", "١٢", "é", "\u202e", "\ufeff", "🙂", "1" * 400, "1" * 5000, "a" * 300, "a" * 5000),
    *("a/" * 2500, "..", ".", "/", "../../outside", "/etc/passwd", "/dev/zero", "/proc/self/mem"),
    *("C:\\x", "\\\\server\\x", "~", "~root/x", "$HOME", "[", "{", "[[1,2,3,4]]", "%s", "{0}"),
    *(Raw('"\\ud800"'), Raw('"\\udfff x"'), Raw('"\\u0000"')),
)
"""Texts that are names, paths or numbers only at first sight."""

OTHERS: Sequence[Any] = (
    *(None, True, False, [], [[]], [[[]]], Pairs(), Pairs([("", Pairs())]), [None], [0] * 5),
    *(Raw("[" * depth + "]" * depth) for depth in (60, 400, 800, 960)),
    *(Raw("[" * DEPTH + "]" * DEPTH), Raw('{"a":' * DEPTH + "1" + "}" * DEPTH)),
    *(Raw(""), Raw("'"), Raw('"'), Raw("//"), Raw("undefined"), Raw("[1,]"), Raw("01")),
)
VALUES = st.sampled_from([*NUMBERS, *TEXTS, *OTHERS])

YAML_TOKENS = (
    *("&a [*a]", "*a", "&a {k: *a}", "!!float yes", "!!int x", "!!binary '@@'", "!!bool maybe"),
    *("!!python/object/apply:os.system ['true']", "!!timestamp 2026-99-99", "2026-13-45"),
    *("2026-01-01", "2026-01-01T99:99:99Z", "!!set {a, b}", "!!omap [a]", "!!null x", "!x y"),
    *(".nan", ".inf", "-.inf", "1:20", "190:99:99.9", "0o7", "0b12", "0x", "1__0", "+", "-", "~"),
    *("{<<: 1}", "{<<: [1, 2]}", "{<<: *a}", "{? [1, 2] : 3}", "{? {a: 1} : 2}", "{1: 2}", "@x"),
    *("{null: 1}", "{true: 1}", "{1.5: 2}", "!!str 5", "%TAG", "`x`", "|", ">", "? ", ": ", "---"),
    *('"\\ud800"', '"\\0"', "\t", "'", '"', "1" * 5000, "[" * DEPTH, "{a: " * DEPTH, "- " * DEPTH),
    *("[&a [x, x], &b [*a, *a], &c [*b, *b], &d [*c, *c], &e [*d, *d], &f [*e, *e], *f]",),
    "[&a [x,x,x,x,x,x,x,x,x,x], "
    + ", ".join(f"&{b} [" + ",".join([f"*{a}"] * 10) + "]" for a, b in pairwise("abcdefghi"))
    + "]",
)

XML_TOKENS = (
    *("<", ">", "&", "&amp;", "&x;", "&#0;", "&#xD800;", "<!--", "<![CDATA[", "]]>", "<?x?>", "</"),
    *("nan", "inf", "-1", "1e20", "1e999", "", " ", "0", "1" * 5000, "٣", "1_0", "../../x"),
    *(
        "<object/>",
        "<a>" * 20000,
        "<object>" * 200,
        "<bndbox><xmin>1</xmin></bndbox>",
        "\0",
        "\ud7ff",
    ),
    "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "<!DOCTYPE l [<!ENTITY a '"
    + "x" * 50
    + "'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 50}'>" for a, b in pairwise("abcdefg"))
    + "]>",
    *(
        f"<?xml version='1.0' encoding='{name}'?>"
        for name in (
            "idna",
            "big5",
            "utf-16",
            "utf-7",
            "punycode",
            "rot13",
            "hex",
            "undefined",
            "x",
        )
    ),
)

INTEGERS = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31)
BLOCKS = (
    b"\0",
    b"\xff",
    b"\0" * 4,
    b"\xff" * 4,
    b"\n",
    b'"',
    b"{",
    b"}",
    b",",
    b"\x80",
    b"\xef\xbb\xbf",
)


@st.composite
def mutated_bytes(draw: DrawFn, content: bytes, *, until: int | None = None) -> bytes:
    """Return a file with one to four changes of its bytes, many of them near the beginning."""
    for _ in range(draw(st.integers(1, 4))):
        end = len(content) if until is None or draw(st.booleans()) else min(until, len(content))
        place = draw(st.integers(0, max(0, end - 1)))
        match draw(st.integers(0, 6)):
            case 0:
                content = content[:place]
            case 1:
                content = content[:place] + content[place + draw(st.integers(1, 16)) :]
            case 2:
                block = draw(st.sampled_from(BLOCKS))
                content = content[:place] + block + content[place:]
            case 3:
                byte = draw(st.integers(0, 255))
                content = content[:place] + bytes([byte]) + content[place + 1 :]
            case 4 | 5:
                form = draw(st.sampled_from(("<H", ">H", "<I", ">I", "<Q")))
                size = struct.calcsize(form)
                number = draw(st.sampled_from(INTEGERS)) % 256**size
                if draw(st.booleans()):
                    number = 256**size - 1 - number
                content = content[:place] + struct.pack(form, number) + content[place + size :]
            case _:
                length = draw(st.integers(1, 64))
                content = (
                    content[:place]
                    + content[place : place + length] * 2
                    + content[place + length :]
                )
    return content


@st.composite
def mutated_text(draw: DrawFn, content: bytes, tokens: Sequence[str]) -> bytes:
    """Return a text with words or lines replaced by tokens, removed or repeated."""
    text = content.decode()
    for _ in range(draw(st.integers(1, 3))):
        whole = draw(st.integers(0, 3)) == 0
        parts = re.split(r"(\n)" if whole else r"([\w.+-]+)", text)
        place = draw(st.integers(0, len(parts) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                del parts[place]
            case 1:
                parts.insert(place, parts[draw(st.integers(0, len(parts) - 1))])
            case _:
                token = draw(st.sampled_from(tokens))
                parts[place] = token
        text = "".join(parts)
    return text.encode("utf-8", "surrogatepass")


def _to_pairs(value: Any) -> Any:
    if isinstance(value, dict):
        return Pairs((key, _to_pairs(item)) for key, item in value.items())
    return [_to_pairs(item) for item in value] if isinstance(value, list) else value


def dump(value: Any) -> str:
    """Return a tree as JSON, with raw tokens and repeated keys."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {dump(item)}" for k, item in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump, value)) + "]"
    return json.dumps(value)


def _containers(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list):
        if value:
            yield value
        for item in value:
            yield from _containers(item[1] if isinstance(value, Pairs) else item)


@st.composite
def mutated_tree(draw: DrawFn, tree: Any, extra: Sequence[str] = ()) -> str:
    """Return JSON of a tree in which one to three values or keys are changed."""
    root = [_to_pairs(tree)]
    values = VALUES | st.sampled_from([Raw(token) for token in extra]) if extra else VALUES
    for _ in range(draw(st.integers(1, 3))):
        containers = list(_containers(root))
        if not containers:
            break
        # The first one contains the document only.
        first = 0 if len(containers) == 1 or draw(st.integers(0, 19)) == 0 else 1
        container = (
            containers[draw(st.integers(first, len(containers) - 1))] if first else containers[0]
        )
        place = draw(st.integers(0, len(container) - 1))
        _change(draw, container, place, values)
    return dump(root[0]) if root else ""


def _change(draw: DrawFn, items: list[Any], place: int, values: SearchStrategy[Any]) -> None:
    is_object = isinstance(items, Pairs)
    key, value = items[place] if is_object else (None, items[place])
    operation = draw(st.integers(0, 9))
    if operation == 0:
        del items[place]
        return
    if operation == 1:
        items.insert(place, items[place])
        return
    if operation == 2 and is_object:
        names = [name for name, _ in items]
        key = draw(st.sampled_from([*names, "", "x", "\0", "a" * 5000, "__class__"]))
    elif operation == 3:
        value = draw(st.sampled_from([[value], Pairs([("x", value)]), [value, value]]))
    elif operation == 4 and isinstance(value, int | float) and not isinstance(value, bool):
        value = draw(st.sampled_from([str(value), -value, value * 1e20, float(value), value + 1]))
    elif operation == 5 and isinstance(value, list) and value and not isinstance(value, Pairs):
        value = value * draw(st.sampled_from([2, 50]))
    else:
        value = draw(values)
    # Later changes must not change the constants.
    items[place] = deepcopy((key, value) if is_object else value)


@st.composite
def mutated_json(draw: DrawFn, content: bytes) -> bytes:
    """Return a changed JSON document."""
    return draw(mutated_tree(json.loads(content))).encode("utf-8", "surrogatepass")


@st.composite
def mutated_lines(draw: DrawFn, content: bytes) -> bytes:
    """Return JSON Lines in which one line is changed."""
    lines = content.splitlines()
    place = draw(st.integers(0, len(lines) - 1))
    lines[place] = draw(mutated_json(lines[place]))
    return b"\n".join(lines) + b"\n"


@st.composite
def mutated_yaml(draw: DrawFn, content: bytes) -> bytes:
    """Return changed YAML: as JSON with tokens of YAML, or its lines."""
    from ruamel.yaml import YAML

    if draw(st.booleans()):
        tree = YAML(typ="safe", pure=True).load(io.StringIO(content.decode()))
        return draw(mutated_tree(tree, YAML_TOKENS)).encode("utf-8", "surrogatepass")
    return draw(mutated_text(content, [*YAML_TOKENS, *map(_plain, (*NUMBERS, *TEXTS))]))


def _plain(value: Any) -> str:
    return value.text.strip('"') if isinstance(value, Raw) else str(value)


@st.composite
def mutated_csv(draw: DrawFn, content: bytes) -> bytes:
    """Return a table with changed cells, rows or columns."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.integers(0, len(rows) - 1))
        cells = rows[row]
        if not cells:
            continue
        column = draw(st.integers(0, len(cells) - 1))
        match draw(st.integers(0, 7)):
            case 0:
                del cells[column]
            case 1:
                cells.insert(column, cells[column])
            case 2:
                rows.insert(row, list(cells))
            case 3 if len(rows) > 1:
                del rows[row]
            case 4:
                other = draw(st.integers(0, len(rows) - 1))
                cells[column] = (rows[other] or [""])[-1]
            case _:
                value = draw(VALUES)
                cells[column] = _plain(value) if not isinstance(value, list) else dump(value)
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def mutated_xml(content: bytes) -> SearchStrategy[bytes]:
    """Return changed XML."""
    return mutated_text(content, XML_TOKENS)


def mutated_words(content: bytes) -> SearchStrategy[bytes]:
    """Return a changed text file of names or numbers."""
    return mutated_text(content, [_plain(value) for value in (*NUMBERS, *TEXTS)])


@st.composite
def mutated_png(draw: DrawFn, content: bytes) -> bytes:
    """Return a PNG whose first chunk is changed, with a valid checksum."""
    head = bytearray(content[12:29])
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            place = draw(st.sampled_from((4, 8)))
            head[place : place + 4] = struct.pack(">I", draw(st.sampled_from(INTEGERS)))
        else:
            head[draw(st.integers(12, 16))] = draw(st.integers(0, 255))
    crc = struct.pack(">I", zlib.crc32(bytes(head)))
    return content[:12] + bytes(head) + crc + content[33:]


def mutated_header(content: bytes) -> SearchStrategy[bytes]:
    """Return a binary file that is changed mostly in its first bytes."""
    return mutated_bytes(content, until=160)


@st.composite
def mutated_npy(draw: DrawFn, content: bytes) -> bytes:
    """Return an ``.npy`` file with a changed header."""
    start = content.index(b"{")
    end = content.index(b"\n", start)
    tokens = [
        "'O'",
        "'<f8'",
        "'|V9'",
        "'<M8[s]'",
        "'<c16'",
        "True",
        "(",
        ")",
        "(0,)",
        "()",
        "{",
        "}",
    ]
    tokens += ["(2147483648, 2147483648)", "(99999, 99999)", "(-1, 4)", "(1" * 5000, "1" * 5000]
    tokens += ["('a',)", "1e20", "(True, 2)", "lambda: 0", "\0", "'", "[('a', '<f4')]", "()" * 500]
    header = draw(mutated_text(content[start:end].rstrip(), tokens)) + b"\n"
    length = draw(st.sampled_from([len(header), len(header), 0, 65535]))
    return (
        content[: start - 2] + struct.pack("<H", min(length, 65535)) + header + content[end + 1 :]
    )


Mutation = Callable[[bytes], SearchStrategy[bytes]]
