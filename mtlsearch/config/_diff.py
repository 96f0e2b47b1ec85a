"""Difference of two run files."""

from __future__ import annotations

import json
from typing import Any

from mtlsearch.config._run import RunConfig
from mtlsearch.config._save import plain
from mtlsearch.config._storage import without_password

MAX_LENGTH = 60
"""Number of characters of a value in a description."""


def difference(first: RunConfig, second: RunConfig) -> list[str]:
    """Return the dotted keys in which two run files differ.

    Lists of different length differ as a whole. Passwords of a storage URL are ignored, because
    a saved run file contains none.

    Args:
        first: a run file.
        second: another run file.

    Returns:
        The keys, sorted, such as ``["train.epochs"]``.
    """
    return sorted(_different_paths(_comparable(first), _comparable(second), ""))


def describe_difference(first: RunConfig, second: RunConfig, key: str) -> str:
    """Return the two values of a key, such as ``"`train.epochs` is 12 in this run and 2 now"``.

    Args:
        first: the run file of the run.
        second: the run file of now.
        key: a key of :func:`difference`.

    Returns:
        The key with both values; a value that is absent is "not set".
    """
    before, now = (_text_at(_comparable(config), key) for config in (first, second))
    return f"`{key}` is {before} in this run and {now} now"


def _text_at(tree: Any, key: str) -> str:
    for part in key.split("."):
        if isinstance(tree, list) and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        elif isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            return "not set"
    text = json.dumps(tree, ensure_ascii=False)
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."


def _comparable(config: RunConfig) -> Any:
    tree, storage = plain(config), config.search.storage
    if storage is not None:
        tree["search"]["storage"] = without_password(storage)
    return tree


def _different_paths(first: Any, second: Any, path: str) -> list[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        keys = [key for key in {**first, **second} if key not in first or key not in second]
        pairs = [(str(key), first[key], second[key]) for key in first if key in second]
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        keys = []
        pairs = [
            (str(index), left, right)
            for index, (left, right) in enumerate(zip(first, second, strict=True))
        ]
    else:
        return [] if first == second and type(first) is type(second) else [path]
    paths = [_join(path, str(key)) for key in keys]
    for key, left, right in pairs:
        paths += _different_paths(left, right, _join(path, key))
    return paths


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
