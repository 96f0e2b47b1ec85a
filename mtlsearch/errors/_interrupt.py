"""Interrupts that a library replaced by an error of its own."""

from __future__ import annotations


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether an error is an interrupt or was raised while one was handled.

    Args:
        error: any error; None for none.

    Returns:
        True for Ctrl-C, also where a library raised its own error on it.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
