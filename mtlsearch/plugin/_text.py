"""Text of data files: reading, flags, paths and class names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from mtlsearch.errors import DataError
from mtlsearch.files import YamlError, load_json, load_yaml, require_below_root

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes"), True),
    **dict.fromkeys(("0", "false", "no", "", "unspecified"), False),
}
"""Value of a flag by its text in lower case. Some tools write VOC's placeholder "Unspecified"."""

MAX_NAME, MAX_PATH = 255, 4096
"""Maximum length of a file's name and of a path on common disks."""


def read_text(path: Path, *, what: str = "file", where: str | None = None) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        what: what the file is, for messages.
        where: place of the file in the data set, for messages; the path by default.

    Returns:
        The text without the byte order mark.

    Raises:
        DataError: the path does not exist, is a folder or leaves the data root, or the text is not
            in UTF-8.
    """
    where = where or str(path)
    require_below_root(path, where)
    if path.is_dir():
        raise DataError(f"the {what} is a folder", where=where)
    if not path.is_file():
        raise DataError(f"the {what} does not exist", where=where)
    try:
        # Editors and spreadsheet programs on Windows write a byte order mark.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"the {what} is not in UTF-8: {error}", where=where, next_step="save it as UTF-8"
        ) from error


def parse_json(text: str, *, what: str, where: str) -> Any:
    """Return the value of a JSON document or of a row of JSON Lines.

    Args:
        text: the document.
        what: what the text is, for messages, such as ``"annotation file"``.
        where: place of the text in the data set, for messages.

    Returns:
        The value. Its texts can contain halves of surrogate pairs, which no file accepts: check the
        texts that you use.

    Raises:
        DataError: the text is not JSON, or a key occurs twice in an object. The message contains
            the key and both places.
    """
    try:
        return load_json(text, allow_half_pairs=True)
    except ValueError as error:
        is_syntax = isinstance(error, JSONDecodeError)
        raise DataError(
            f"the {what} is not valid JSON: {error}",
            where=where,
            next_step="check the file with a JSON validator"
            if is_syntax
            else "correct this value in the file",
        ) from error


def parse_yaml(text: str, *, what: str, where: str) -> Any:
    """Return the value of a YAML document.

    Args:
        text: the document.
        what: what the text is, for messages, such as ``"data file"``.
        where: the file, for messages.

    Returns:
        The value, None for an empty document.

    Raises:
        DataError: the text is not YAML, a key occurs twice, a value does not fit its tag, or
            aliases contain themselves or multiply the values. The message contains the line.
    """
    try:
        return load_yaml(text)[0]
    except YamlError as error:
        reason = error.what.removeprefix("the YAML is not valid: ")
        raise DataError(
            f"the {what} is not valid YAML: {reason}",
            where=where if error.line is None else f"{where}:{error.line}",
            next_step=error.next_step,
        ) from error


def parse_flag(value: object, *, name: str, where: str) -> bool:
    """Return the truth value of a flag in a data file.

    Args:
        value: bool, number, text or None. Case and surrounding blanks do not matter.
        name: name of the flag, for messages.
        where: place of the flag in the data set, for messages.

    Returns:
        True for 1, true and yes. False for 0, false, no, None, empty text and ``Unspecified``.

    Raises:
        DataError: the value is anything else.
    """
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    text = "" if value is None else str(value).strip().lower()
    if text not in _FLAGS:
        raise DataError(
            f"`{name}` must be a flag, got {value!r}",
            where=where,
            allowed=("0", "1", "true", "false", "yes", "no"),
        )
    return _FLAGS[text]


def resolve_path(folder: Path, text: str, *, where: str | None = None) -> Path:
    """Return a path in a data file, with the backslashes of Windows converted.

    Args:
        folder: folder that relative paths start from.
        text: the path as written.
        where: place of the path in the data set, for messages; the folder by default.

    Returns:
        The path. A file whose name contains backslashes is returned if it exists.

    Raises:
        DataError: a name in the path is longer than any disk supports, or contains a character that
            no path contains.
    """
    where = where or str(folder)
    _require_characters(text, where)
    longest = max(map(len, re.split(r"[/\\]", text)))
    if longest > MAX_NAME or len(text) > MAX_PATH:
        raise DataError(
            f"the path {text[:40]!r}... is too long: {len(text)} characters, at most {MAX_PATH}; "
            f"its longest name {longest}, at most {MAX_NAME}",
            where=where,
            next_step="correct the path in the data file; a quote or a line break may be missing",
        )
    path = folder / text
    return path if "\\" not in text or path.exists() else folder / text.replace("\\", "/")


def _require_characters(text: str, where: str) -> None:
    try:
        os.fsencode(text)
        is_possible = "\0" not in text
    except UnicodeEncodeError:  # half of a surrogate pair
        is_possible = False
    if not is_possible:
        raise DataError(
            f"the path {text[:40]!r} contains a character that no path contains",
            where=where,
            next_step="correct the path in the data file, which may be damaged",
        )


def backslash_warnings(texts: Sequence[str], where: str) -> list[str]:
    """Return one warning about paths with backslashes.

    Args:
        texts: the paths of a data file as written.
        where: the data file.

    Returns:
        At most one message, with the number of paths and the first of them.
    """
    converted = [text for text in texts if "\\" in text]
    if not converted:
        return []
    return [
        f"{len(converted)} path(s) in {where} contain backslashes, which are read as '/', such as "
        f"{converted[0]!r}"
    ]


def _as_text(value: object) -> object:
    # YAML reads [1, 2, 3] as numbers, but class names are strings.
    if isinstance(value, list | tuple):
        return tuple(str(item) if isinstance(item, int) else item for item in value)
    return value


def _check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for index, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"class {index} has no name")
        if name in names[:index]:
            raise ValueError(
                f"class {name!r} occurs twice, at index {names.index(name)} and at index {index}"
            )
    return names


ClassNames = Annotated[tuple[str, ...], BeforeValidator(_as_text), AfterValidator(_check_names)]
"""Type of a setting with class names by index: unique and not empty. Numbers become text."""
