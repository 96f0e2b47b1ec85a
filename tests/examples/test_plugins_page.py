"""`docs/plugins.md` shows the whole example package."""

from __future__ import annotations

import re

import pytest

from tests.examples.depth_package import FOLDER

PAGE = FOLDER.parents[1] / "docs" / "plugins.md"
BLOCK = re.compile(r"<!-- mtlsearch-depth/(\S+) -->\n```\w+\n(.*?)\n```", re.DOTALL)
SECTION = re.compile(r"^## Write a task step by step$.*?(?=^## )", re.DOTALL | re.MULTILINE)


def read_section() -> str:
    match = SECTION.search(PAGE.read_text())
    assert match is not None
    return match[0]


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(read_section())


def without_blank_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("file", ["pyproject.toml", "mtlsearch_depth.py", "test_depth.py"])
def test_blocks_together_are_the_file(file: str) -> None:
    shown = [line for name, text in blocks() if name == file for line in without_blank_lines(text)]
    assert shown == without_blank_lines((FOLDER / file).read_text())


def test_every_file_of_the_package_is_shown() -> None:
    assert {name for name, _ in blocks()} == {
        path.name for path in FOLDER.iterdir() if path.is_file()
    }


def test_all_code_is_compared() -> None:
    fences = re.findall(r"```(python|toml)", read_section())
    assert len(fences) == len(blocks())


def test_no_block_is_cut_out_of_a_definition() -> None:
    for _, text in blocks():
        assert not text.startswith((" ", "\t"))
