"""What two run files do not have in common."""

from __future__ import annotations

from typing import Any

from mtlsearch.config._run import RunConfig
from mtlsearch.config._save import plain
from mtlsearch.config._storage import without_password


def difference(a: RunConfig, b: RunConfig) -> list[str]:
    """The dotted keys in which two run files differ, sorted: ``["train.epochs"]``.

    Lists of another length differ as a whole; a key that only one has is named itself. A
    storage is the same whatever its password: the one of a saved run file is hidden.
    """
    return sorted(_differing(_compared(a), _compared(b), ""))


def _compared(config: RunConfig) -> Any:
    tree, storage = plain(config), config.search.storage
    if storage is not None:
        tree["search"]["storage"] = without_password(storage)
    return tree


def _differing(a: Any, b: Any, path: str) -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [key for key in {**a, **b} if key not in a or key not in b]
        below = [(str(key), a[key], b[key]) for key in a if key in b]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        keys = []
        below = [(str(at), left, right) for at, (left, right) in enumerate(zip(a, b, strict=True))]
    else:
        return [] if a == b and type(a) is type(b) else [path]
    found = [_join(path, str(key)) for key in keys]
    for key, left, right in below:
        found += _differing(left, right, _join(path, key))
    return found


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
