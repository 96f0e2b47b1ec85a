"""Depth of brackets in YAML."""

from __future__ import annotations

from time import perf_counter

import pytest

from mtlsearch.files import YamlError, load_yaml

MANY = 150
"""More brackets than may be open at a time."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n".join(f'- "[{index}, {index + 1})"' for index in range(MANY)), MANY),
        ("\n".join(f"- 'a{{'  # [{index}" for index in range(MANY)), MANY),
        (f"# {'[' * MANY}\n- 1", 1),
        (f"- |\n  {'[' * MANY}\n", 1),
        (f"- a{'[' * MANY}\n", 1),
        ("- [1, {a: 2}]\n" * MANY, MANY),
    ],
)
def test_only_brackets_that_are_open_are_counted(text: str, expected: int) -> None:
    assert len(load_yaml(text)[0]) == expected


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "[\n" * 50_000, "[ # ]\n" * 50_000, "[ ']',\n" * 50_000, "{a: " * 50_000]
)
def test_deep_brackets_are_refused_soon(text: str) -> None:
    start = perf_counter()
    with pytest.raises(YamlError, match="nested too deeply") as caught:
        load_yaml(text)
    assert perf_counter() - start < 5
    assert caught.value.next_step is not None
