"""`docs/writing-a-task.md` shows the example package as it is."""

from __future__ import annotations

import re

import pytest

from tests.examples.depth_package import FOLDER

PAGE = FOLDER.parents[1] / "docs" / "writing-a-task.md"
BLOCK = re.compile(r"<!-- (\S+) -->\n```\w+\n(.*?)\n```", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(PAGE.read_text())


def without_blank_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("file", ["pyproject.toml", "mtlsearch_depth.py", "test_depth.py"])
def test_the_blocks_together_are_the_file(file: str) -> None:
    shown = [line for name, text in blocks() if name == file for line in without_blank_lines(text)]
    assert shown == without_blank_lines((FOLDER / file).read_text())


def test_every_file_of_the_package_is_shown() -> None:
    assert {name for name, _ in blocks()} == {
        path.name for path in FOLDER.iterdir() if path.is_file()
    }


def test_all_code_is_compared() -> None:
    fences = re.findall(r"```(python|toml)", PAGE.read_text())
    assert len(fences) == len(blocks())


def test_every_block_stands_on_its_own() -> None:
    """No block is cut out of the middle of a class or function."""
    for _, text in blocks():
        assert not text.startswith((" ", "\t"))
