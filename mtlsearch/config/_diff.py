"""Difference of two run files."""

from __future__ import annotations

from typing import Any

from mtlsearch.config._run import RunConfig
from mtlsearch.config._save import plain
from mtlsearch.config._storage import without_password


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
