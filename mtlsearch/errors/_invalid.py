"""Words for pydantic's errors about stored values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

MAX_VALUE_LENGTH = 60


def describe_invalid(error: ValidationError) -> str:
    """Return the first problem of a stored value: its key, the problem and the value.

    Run files have richer messages; this is for files that the program itself writes.

    Args:
        error: the error of one validation.

    Returns:
        Such as ``"`plan.units` is missing"`` or ``"`alpha` is invalid: a valid number is
        expected, got 'x'"``.
    """
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"]) or "value"
    if problem["type"] == "missing":
        return f"`{key}` is missing"
    if problem["type"] == "extra_forbidden":
        return f"`{key}` is not a known key"
    value = repr(problem["input"])
    if len(value) > MAX_VALUE_LENGTH:
        value = f"{value[:MAX_VALUE_LENGTH]}..."
    message = problem["msg"].removeprefix("Value error, ")
    return f"`{key}` is invalid: {message[:1].lower()}{message[1:]}, got {value}"
