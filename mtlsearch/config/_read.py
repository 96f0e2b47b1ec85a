"""YAML file as plain values, with the line of each key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtlsearch.config._locations import KeyPath
from mtlsearch.errors import ConfigError
from mtlsearch.files import YamlError, load_yaml


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return the mapping in a file, and the line of each key, from 1.

    Raises:
        ConfigError: the file does not exist, is not valid YAML, contains a key twice, or is not a
            mapping.
    """
    text = _read_text(path)
    try:
        tree, lines = load_yaml(text)
    except YamlError as error:
        place = str(path) if error.line is None else f"{path}:{error.line}"
        raise ConfigError(error.what, where=place, next_step=error.next_step) from error
    if tree is None:
        raise ConfigError(
            "the run file is empty",
            where=str(path),
            next_step="run `mtlsearch init DIR` to write a run file",
        )
    if not isinstance(tree, dict):
        raise ConfigError(
            f"the run file must be a mapping of keys, got a {type(tree).__name__}", where=str(path)
        )
    return tree, lines


def read_value(text: str, where: str) -> Any:
    """Parse one YAML value, as behind ``--set``.

    Raises:
        ConfigError: the text is not valid YAML.
    """
    try:
        return load_yaml(text)[0]
    except YamlError as error:
        raise ConfigError(error.what, where=where, next_step=error.next_step) from error


def _read_text(path: Path) -> str:
    if path.is_dir():
        inside = path / "run.yaml"
        hint = f"pass the run file in it: {inside}"
        if not inside.is_file():
            hint = f"pass a YAML file; `mtlsearch init {path}` writes a run file to this folder"
        raise ConfigError("the path is a folder, not a run file", where=str(path), next_step=hint)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "the run file does not exist",
            where=str(path),
            next_step="run `mtlsearch init DIR` to write a run file",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the run file is not UTF-8 text: byte 0x{error.object[error.start]:02x} at position "
            f"{error.start}",
            where=str(path),
            next_step="save the file with the encoding UTF-8",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the run file cannot be read: {(error.strerror or str(error)).lower()}",
            where=str(path),
            next_step="pass another file, or change the permissions of this one",
        ) from error
