"""Whose running statistics are."""

from __future__ import annotations

from typing import Literal, get_args

Statistics = Literal["shared", "path"]


def read_statistics(value: object) -> Statistics:
    """The value, if it is one.

    Raises:
        ValueError: it is not.
    """
    for known in get_args(Statistics):
        if value == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f"statistics are one of {get_args(Statistics)}, not {value!r}")
