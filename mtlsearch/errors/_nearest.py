"""Closest valid name for a misspelled one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_CONTINUED = 8
"""Largest number of names with the same beginning that a suggestion lists."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar valid name.

    Args:
        name: the misspelled name.
        names: the valid names.

    Returns:
        One of ``names``, or None if none is similar.
    """
    candidates = list(names)
    matches = get_close_matches(name, candidates, n=1, cutoff=0.7)
    # In a short name, two letters in wrong order lower the similarity below the cutoff.
    matches += [candidate for candidate in candidates if sorted(candidate) == sorted(name)]
    return matches[0] if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a suggestion to append to a message.

    Args:
        name: the misspelled name.
        names: the valid names.

    Returns:
        Such as ``"; did you mean 'epochs'?"``, or all names that begin with ``name`` if they are
        few; empty if no name is similar.
    """
    candidates = list(names)
    continued = sorted(item for item in candidates if len(name) > 2 and item.startswith(name))
    if name not in continued and 1 < len(continued) <= MAX_CONTINUED:
        *first, last = map(repr, continued)
        return f"; did you mean {', '.join(first)} or {last}?"
    match = nearest(name, candidates)
    return f"; did you mean {match!r}?" if match else ""
