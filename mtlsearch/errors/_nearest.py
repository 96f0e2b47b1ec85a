"""Closest valid name for a misspelled one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
        Such as ``"; did you mean 'epochs'?"``; empty if no name is similar.
    """
    match = nearest(name, names)
    return f"; did you mean {match!r}?" if match else ""
