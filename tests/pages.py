"""What the pages of the documentation hold: blocks, links, command lines, tables of settings."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(
    r"(?:^ *<!-- (?P<name>.+?) -->\n)?^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
PROGRAM = re.compile(r"[#$\s]*(?:\S*/)?mtlsearch\s+(?P<rest>.+)")
INLINE = re.compile(r"`mtlsearch ([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
NAMED = re.compile(
    r"`((?:benchmarks|docs|examples|mtlsearch|plugins|search_spaces|tests)/[^`\s]*)`"
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        place: page and line.
        language: what stands behind the fence.
        name: what a comment in the line above says, such as a file's name.
        text: what is in it.
    """

    place: str
    language: str
    name: str
    text: str


def pages() -> list[Path]:
    """Every page that is written by hand."""
    below = [
        at for name in ("docs", "examples", "benchmarks") for at in (ROOT / name).rglob("*.md")
    ]
    return sorted([*ROOT.glob("*.md"), *below, ROOT / "results" / "README.md"])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start('text'))}",
            found["language"],
            found["name"] or "",
            textwrap.dedent(found["text"]),
        )
        for found in FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Targets of links and pictures within the repository."""
    found = [first or second for first, second in LINK.findall(prose(page))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """What a link may have behind ``#``: the headings as their addresses."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.strip().replace(" ", "-") for text in kept}


def command_lines(text: str) -> Iterator[list[str]]:
    """The arguments of every line that calls the program; comments and what it is piped to cut."""
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        found = PROGRAM.fullmatch(line)
        if found is not None:
            # In a column of commands the words behind a gap explain.
            command = re.split(r"\s{3,}", found["rest"])[0]
            lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            yield _up_to_punctuation(list(lexer))


def _up_to_punctuation(tokens: list[str]) -> list[str]:
    ends = (at for at, token in enumerate(tokens) if token and set(token) <= set("();<>|&"))
    return tokens[: next(ends, len(tokens))]


def mentions(page: Path) -> Iterator[list[str]]:
    """The arguments of every command that stands in a sentence: ``[--out DIR]`` without brackets.

    Of ``best|N`` the first is taken; three dots stand for whatever there may be.
    """
    for command in INLINE.findall(prose(page)):
        words = re.sub(r"[\[\]]", " ", command).split()
        yield [word.split("|")[0] for word in words if word.strip(".")]


def settings_rows(model: type[BaseModel]) -> list[str]:
    """The rows of the table that documents some settings."""
    return [
        f"| `{name}` | {_default(field)} | {field.description} |"
        for name, field in model.model_fields.items()
    ]


def nested(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Models that are part of another one's fields."""
    for field in model.model_fields.values():
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield part


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, bool):
        return f"`{str(value).lower()}`".replace("none", "null")
    return f"`{value}`"
