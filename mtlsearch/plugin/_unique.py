"""Uniqueness of ids and names in a data file."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from mtlsearch.errors import DataError

MAX_EXAMPLES = 3
"""Maximum number of repeated values in a message, and of places of each."""


def require_unique(
    noun: str,
    keys: Sequence[Hashable],
    place: Callable[[int], str],
    *,
    where: str,
    next_step: str,
) -> None:
    """Check that no id or name occurs twice.

    Args:
        noun: what the keys are, such as ``"image id"``.
        keys: the ids or names.
        place: returns the place of a key, such as ``"images[3]"``, from its index.
        where: the file, for the message.
        next_step: how to fix the problem, in the imperative.

    Raises:
        DataError: a key occurs twice. The message contains the first three such keys, with their
            places, and the number of all.
    """
    if len(set(keys)) == len(keys):
        return
    indices_by_key: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        indices_by_key.setdefault(key, []).append(index)
    repeated = {
        key: [place(index) for index in indices]
        for key, indices in indices_by_key.items()
        if len(indices) > 1
    }
    if len(repeated) == 1:
        ((key, places),) = repeated.items()
        times = "twice" if len(places) == 2 else f"{len(places)} times"
        what = f"{noun} {key!r} occurs {times}: {_join(places)}"
    else:
        examples = [f"{key!r} ({_join(places)})" for key, places in repeated.items()]
        what = f"{len(repeated)} {noun}s occur several times: {_join(examples, ', ')}"
    raise DataError(what, where=where, next_step=next_step)


def _join(texts: Sequence[str], separator: str = " and ") -> str:
    rest = len(texts) - MAX_EXAMPLES
    shown = separator.join(texts[:MAX_EXAMPLES])
    return f"{shown} and {rest} more" if rest > 0 else shown
