"""Contents of the documentation pages: blocks, links, command lines."""

from __future__ import annotations

import importlib.util
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

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
        location: page and line.
        language: language of the fence.
        name: text of a comment in the line above, such as a file name.
        text: contents.
    """

    location: str
    language: str
    name: str
    text: str


def pages() -> list[Path]:
    """Return every page."""
    folders = ("docs", "examples", "benchmarks", "results/reference")
    below = [page for folder in folders for page in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *below, ROOT / "results" / "README.md"])


def chapters() -> Iterator[list[Path]]:
    """Yield the pages of each chapter, as the README lists them: first the chapter itself.

    Raises:
        ValueError: a link has another text than the title of its page.
    """
    _, _, section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Documentation\n")
    for line in section.partition("\n## ")[0].splitlines():
        listed = re.findall(r"\[([^\]]+)\]\((docs/[^)]+)\)", line)
        for text, target in listed:
            if text != title(ROOT / target):
                raise ValueError(f"README.md: the title of {target} is not {text!r}")
        if listed:
            yield [ROOT / target for _, target in listed]


def title(page: Path) -> str:
    """Return the title of a page."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def first_line(page: Path) -> str:
    """Return the first line below the title."""
    return page.read_text(encoding="utf-8").splitlines()[2]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start('text'))}",
            match["language"],
            match["name"] or "",
            textwrap.dedent(match["text"]),
        )
        for match in FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return the targets of links and images inside the repository."""
    targets = [first or second for first, second in LINK.findall(prose(page))]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """Return the headings of a page as anchors."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {text.strip().replace(" ", "-") for text in kept}


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the arguments of every line that calls the program, up to comments and pipes."""
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        match = PROGRAM.fullmatch(line)
        if match is not None:
            # In a column of commands, an explanation follows a gap.
            command = re.split(r"\s{3,}", match["rest"])[0]
            lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            yield _up_to_punctuation(list(lexer))


def _up_to_punctuation(tokens: list[str]) -> list[str]:
    ends = (index for index, token in enumerate(tokens) if token and set(token) <= set("();<>|&"))
    return tokens[: next(ends, len(tokens))]


def mentions(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of every command in a sentence, without brackets and dots.

    Of alternatives such as ``best|N``, the first is used.
    """
    for command in INLINE.findall(prose(page)):
        words = re.sub(r"[\[\]]", " ", command).split()
        yield [word.split("|")[0] for word in words if word.strip(".")]


def load_generator() -> ModuleType:
    """Return the module ``docs/generate.py``."""
    file = ROOT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_docs", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
