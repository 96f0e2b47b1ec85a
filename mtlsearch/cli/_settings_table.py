"""Table of a plugin's settings: names, types and defaults in YAML notation."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from mtlsearch.config import key_references

Row = tuple[str, str, str, str]

COLUMNS = ("setting", "type", "default", "description")


def settings_rows(model: type[BaseModel]) -> Iterator[Row]:
    """Yield one row per setting; nested settings follow their parent.

    Args:
        model: the settings.

    Yields:
        Key, type, default and description.
    """
    for item in key_references(model):
        yield item.key, item.type, item.default, item.description
