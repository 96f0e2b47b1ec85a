"""The nearest valid name to a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None when none is close."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause to put behind a message: ``"; did you mean 'epochs'?"``, or nothing."""
    match = nearest(name, known)
    return f"; did you mean {match!r}?" if match else ""
