"""Table of settings: YAML words in place of Python types."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from mtlsearch.cli._settings_table import settings_rows


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    side: int = Field(3, description="pixels")


class Outer(BaseModel):
    file: Path = Path("table.csv")
    color: Color = Color.RED
    mode: Literal["fast", "slow"] = "fast"
    strides: tuple[Annotated[int, Field(gt=0)], ...] = (8, 16)
    pair: tuple[float, float] | None = None
    flag: bool = True
    name: str = ""
    parts: dict[str, Inner] = {}
    inner: Inner


ROWS = {row[0]: row[1:3] for row in settings_rows(Outer)}


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("file", "path", "table.csv"),
        ("color", "red or blue", "red"),
        ("mode", "fast or slow", "fast"),
        ("strides", "list of integer", "[8, 16]"),
        ("pair", "list of 2: number, number or null", "null"),
        ("flag", "true or false", "true"),
        ("name", "text", '""'),
        ("parts", "mapping of a name to settings", "{}"),
        ("inner", "settings", "required"),
    ],
)
def test_type_and_default_are_yaml_words(key: str, kind: str, default: str) -> None:
    assert ROWS[key] == (kind, default)


def test_nested_settings_follow_their_parent() -> None:
    keys = list(ROWS)
    assert keys[keys.index("parts") + 1] == "parts.NAME.side"
    assert keys[keys.index("inner") + 1] == "inner.side"
    assert ROWS["inner.side"] == ("integer", "3")
