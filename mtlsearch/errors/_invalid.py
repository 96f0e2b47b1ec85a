"""Words for pydantic's errors about values, and its numbers without booleans."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mtlsearch.errors._tree import PlanError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MAX_VALUE_LENGTH = 60

_NOUN_BY_TYPE = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "frozen": "a list",
    "int": "an integer",
    "list": "a list",
    "mapping": "a mapping",
    "model": "a mapping",
    "path": "a path",
    "set": "a list",
    "string": "a text",
    "tuple": "a list",
}
"""Terms of run files, by the first word of pydantic's types of errors."""

_PLAIN_PARTS = ("metadata", "serialization", "default", "expected", "config")
"""Keys of a core schema below which no value is validated."""

_WRONG_TYPE = re.compile(r"([a-z]+)\w*_(type|parsing|parsing_size|from_float)")


def describe_invalid(error: ValidationError | PlanError) -> str:
    """Return the first problem of a stored value: its key, the problem and the value.

    Run files have richer messages; this is for files that the program itself writes.

    Args:
        error: the error of one validation, or of a plan in the value.

    Returns:
        Such as ``"`plan.units` is missing"`` or ``"`alpha` must be a number, got 'x'"``.
    """
    if isinstance(error, PlanError):
        return str(error)
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"]) or "value"
    if problem["type"] == "missing":
        return f"`{key}` is missing"
    if problem["type"] == "extra_forbidden":
        return f"`{key}` is not a known key"
    value = repr(problem["input"])
    if len(value) > MAX_VALUE_LENGTH:
        value = f"{value[:MAX_VALUE_LENGTH]}..."
    if problem["type"] == "value_error":
        message = str(problem["ctx"]["error"])
        return f"`{key}` is invalid: {message[:1].lower()}{message[1:]}, got {value}"
    return f"`{key}` {requirement(problem)}, got {value}"


def requirement(problem: ErrorDetails) -> str:
    """Return what a value must be, in the terms of run files.

    Args:
        problem: one problem of a pydantic error.

    Returns:
        Such as ``"must be an integer"`` or ``"must be greater than 0"``.
    """
    kind = problem["type"]
    wrong = _WRONG_TYPE.fullmatch(kind)
    if wrong and wrong[1] in _NOUN_BY_TYPE:
        return f"must be {_NOUN_BY_TYPE[wrong[1]]}"
    if kind == "none_required":
        return "must be null"
    if kind in ("too_short", "too_long"):
        bound = "least" if kind == "too_short" else "most"
        count = problem["ctx"]["min_length" if kind == "too_short" else "max_length"]
        return f"must have at {bound} {count} {'item' if count == 1 else 'items'}"
    message = re.sub(r"^(Input|String|Value)\s+", "", problem["msg"].removeprefix("Value error, "))
    return message.replace("should", "must", 1)


def refuse_booleans(schema: Any, model: type) -> Any:
    """Make the numbers of a pydantic model refuse booleans, and its booleans anything else.

    By default, pydantic reads ``true`` as the number 1, and ``1`` as true.

    Args:
        schema: core schema of the model or a part of it; a dictionary, a list or a plain value.
        model: the model; other models in its schema keep theirs.

    Returns:
        The new schema.
    """
    if isinstance(schema, list | tuple):
        return type(schema)(refuse_booleans(item, model) for item in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind == "model" and schema["cls"] is not model:
        return schema
    if kind == "bool":
        return {**schema, "strict": True}
    if kind in ("int", "float"):
        from pydantic_core.core_schema import no_info_before_validator_function

        check = _refuse_as_integer if kind == "int" else _refuse_as_number
        return no_info_before_validator_function(check, schema)
    return {
        key: item if key in _PLAIN_PARTS else refuse_booleans(item, model)
        for key, item in schema.items()
    }


def _refuse_as_integer(value: Any) -> Any:
    return _refuse(value, "int_type")


def _refuse_as_number(value: Any) -> Any:
    return _refuse(value, "float_type")


def _refuse(value: Any, kind: Any) -> Any:
    if isinstance(value, bool):
        from pydantic_core import PydanticKnownError

        raise PydanticKnownError(kind)
    return value
