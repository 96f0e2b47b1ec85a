"""Reference of keys: types, bounds and defaults in YAML notation."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, PositiveInt

from mtlsearch.config import RunConfig, key_references, run_file_reference, settings_reference


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    side: int = Field(3, ge=1, description="pixels | points")


class Outer(BaseModel):
    file: Path = Path("table.csv")
    color: Color = Color.RED
    mode: Literal["auto"] | PositiveInt = "auto"
    fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    strides: tuple[Annotated[int, Field(gt=0)], ...] = (8, 16)
    warmup: float = Field(0.1, ge=0, lt=1)
    parts: dict[str, Inner] = {}
    either: str | Inner | tuple[str | Inner, ...] = "x"
    needed: bool


REFERENCES = {item.key: item for item in key_references(Outer)}


@pytest.mark.parametrize(
    ("key", "type_with_values", "type_name", "default", "allowed"),
    [
        ("file", "path", "path", "table.csv", ""),
        ("color", "red or blue", "text", "red", "`red`, `blue`"),
        ("mode", "auto or integer", "text or integer", "auto", "`auto`; > 0"),
        ("fraction", "number or null", "number or null", "null", "0 to 1"),
        ("strides", "list of integer", "list of integer", "[8, 16]", "> 0"),
        ("warmup", "number", "number", "0.1", ">= 0 and < 1"),
        ("parts.NAME.side", "integer", "integer", "3", ">= 1"),
        ("either.side", "integer", "integer", "3", ">= 1"),
        ("needed", "true or false", "true or false", "required", ""),
    ],
)
def test_key_has_type_default_and_bounds(
    key: str, type_with_values: str, type_name: str, default: str, allowed: str
) -> None:
    item = REFERENCES[key]
    assert (item.type, item.type_name) == (type_with_values, type_name)
    assert (item.default, item.allowed) == (default, allowed)


def test_nested_model_of_a_union_is_listed_once() -> None:
    assert [item.key for item in key_references(Outer)].count("either.side") == 1


def test_settings_table_escapes_columns() -> None:
    assert settings_reference(Inner).splitlines() == [
        "| key | type | default | allowed | description |",
        "| --- | --- | --- | --- | --- |",
        "| `side` | integer | `3` | >= 1 | pixels \\| points |",
    ]


def test_settings_table_of_an_empty_model() -> None:
    class Empty(BaseModel):
        pass

    assert settings_reference(Empty) == "No settings.\n"


def test_run_file_reference_contains_every_key() -> None:
    page = run_file_reference()
    sections = {"data", "data.augment", "backbone", "train", "search", "limits"}
    for item in key_references(RunConfig):
        assert f"| `{item.key}` |" in page or item.key in sections
    assert all(f"# `{section}`\n" in page for section in sections)


def test_every_key_has_a_description() -> None:
    sections = {"data", "data.augment", "backbone", "train", "search", "limits"}
    missing = [item.key for item in key_references(RunConfig) if not item.description]
    assert set(missing) <= sections
