"""Resolved run file in a run directory."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from mtlsearch.config._run import RunConfig
from mtlsearch.config._storage import hide_password
from mtlsearch.files import atomic_write

HEADER = "# The run file of this search, with all defaults filled in.\n"


def save_resolved(config: RunConfig, path: Path) -> None:
    """Write a run file that :func:`load_run` reads back as an equal value.

    The password of a storage URL is hidden. The write is atomic.

    Args:
        config: the run file, with absolute paths.
        path: the file to write.
    """
    tree = config.model_dump()
    if config.search.storage is not None:
        tree["search"]["storage"] = hide_password(config.search.storage)
    with atomic_write(path) as partial:
        partial.write_text(HEADER + to_yaml(tree), encoding="utf-8")


def is_resolved(path: Path) -> bool:
    """Return whether :func:`save_resolved` wrote a run file, by its first line.

    Args:
        path: an existing file.

    Returns:
        False for a run file that a user wrote.
    """
    return path.read_bytes().startswith(HEADER.encode())


def to_yaml(value: Any) -> str:
    """Return a value as YAML text: mappings as blocks, lists of plain values on one line."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.allow_unicode = True
    writer.width = 100
    stream = io.StringIO()
    writer.dump(plain(value), stream)
    return stream.getvalue()


_WORD = re.compile(r"[\w/.][\w/. -]*[\w/.]|\w", re.ASCII)


class _Representer(SafeRepresenter):
    """Representer that quotes all but plain words.

    ruamel cannot read back some texts that it writes without quotes.
    """

    def represent_text(self, text: str) -> Any:
        style = None if _WORD.fullmatch(text) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_items(self, items: list[Any]) -> Any:
        flat = not any(isinstance(item, dict | list) for item in items)
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)

    def represent_keys(self, mapping: dict[Any, Any]) -> Any:
        return self.represent_mapping("tag:yaml.org,2002:map", mapping, flow_style=not mapping)


_Representer.add_representer(str, _Representer.represent_text)
_Representer.add_representer(list, _Representer.represent_items)
_Representer.add_representer(dict, _Representer.represent_keys)


def plain(value: Any) -> Any:
    """Convert a value to YAML types: paths become strings, tuples become lists."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
