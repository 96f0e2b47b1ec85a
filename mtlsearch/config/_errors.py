"""All problems of a run file, collected into one error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mtlsearch.config._locations import Key, KeyPath, SourceLocations
from mtlsearch.config._renamed import names_of, renamed_key, renamed_value
from mtlsearch.config._schema import description_at, keys_at, paths_named
from mtlsearch.errors import ConfigError, did_you_mean, nearest

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: what is wrong, its location, and the allowed values."""

    what: str
    where: str
    allowed: tuple[str, ...] = ()


class ConfigErrors:
    """Collector of problems, so that one error reports all of them.

    Args:
        origins: the locations of the keys.
    """

    def __init__(self, origins: SourceLocations) -> None:
        self._origins = origins
        self._problems: list[Problem] = []

    def add(self, what: str, path: Sequence[Key], allowed: Sequence[str] = ()) -> None:
        """Add a problem.

        Args:
            what: what is wrong, without a full stop.
            path: path of the key.
            allowed: valid values or keys.
        """
        self._problems.append(Problem(what, self._origins.where(*path), tuple(allowed)))

    def validate(
        self, model: type[ModelT], values: Mapping[str, Any], path: Sequence[Key] = ()
    ) -> ModelT | None:
        """Validate values and add the problems.

        Args:
            model: the pydantic model.
            values: the values in the run file.
            path: path of the values.

        Returns:
            The model instance; None if there are problems.
        """
        try:
            return model.model_validate(values)
        except ValidationError as error:
            self.explain(error, model, path)
        return None

    def explain(
        self, error: ValidationError, model: type[BaseModel], path: Sequence[Key] = ()
    ) -> None:
        """Add all problems of a pydantic error.

        Args:
            error: the error.
            model: the model that was validated.
            path: path of the values.
        """
        details = error.errors(include_url=False)
        for group in _group_by_path(details, tuple(path), self._origins):
            what, allowed = _describe(model, group)
            self.add(what, group.path, allowed)

    def raise_if_any(self) -> None:
        """Raise one error if there are problems.

        Raises:
            ConfigError: there are problems; the message lists each with its location.
        """
        if self._problems:
            raise self.error()

    def error(self) -> ConfigError:
        """Build one error from all problems.

        Returns:
            The error; its problems have the order of the file.
        """
        if len(self._problems) == 1:
            (problem,) = self._problems
            return ConfigError(problem.what, where=problem.where, allowed=problem.allowed)
        lines = [f"{len(self._problems)} problems"]
        for problem in sorted(self._problems, key=_file_order):
            lines.append(f"  {problem.where}: {problem.what}")
            if problem.allowed:
                lines.append(f"    allowed: {', '.join(problem.allowed)}")
        return ConfigError("\n".join(lines), where=self._origins.file or None)


def _file_order(problem: Problem) -> list[str | int]:
    """Return a sort key with numeric line numbers: line 9 comes before line 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", problem.where)]


@dataclass(frozen=True, slots=True)
class _Group:
    """The pydantic errors of one key; several errors come from a union."""

    path: KeyPath
    details: tuple[ErrorDetails, ...]


def _group_by_path(
    details: Sequence[ErrorDetails], prefix: tuple[Key, ...], origins: SourceLocations
) -> list[_Group]:
    """Group errors by key; drop the error of a section if one of its keys has an error."""
    details_by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in details:
        details_by_path.setdefault(_path_of(detail, prefix, origins), []).append(detail)
    return [
        _Group(path, tuple(group))
        for path, group in details_by_path.items()
        if not any(other[: len(path)] == path != other for other in details_by_path)
    ]


def _path_of(detail: ErrorDetails, prefix: tuple[Key, ...], origins: SourceLocations) -> KeyPath:
    ctx = detail.get("ctx", {})
    loc = tuple(ctx["key"]) if "key" in ctx else detail["loc"]
    path = origins.locate((*prefix, *loc))
    return (*path, str(loc[-1])) if detail["type"] == "missing" else path


def _describe(model: type[BaseModel], group: _Group) -> tuple[str, Sequence[str]]:
    """Return the message of a group and the allowed values."""
    detail = group.details[0]
    kind, loc, ctx = detail["type"], detail["loc"], detail.get("ctx", {})
    key = group.path[-1] if group.path else ""
    if kind == "extra_forbidden":
        return _describe_unknown_key(model, group.path, loc)
    if kind == "missing":
        noun = f"item {key}" if key.isdigit() else f"key {key!r}"
        return f"{noun} is missing{_purpose(model, loc)}", ()
    if loc and loc[-1] == "[key]":
        return f"the name {key!r} {_requirement(detail)}", ()
    if kind == "value_error":
        return str(ctx["error"]), ()
    if "key" in ctx:
        return detail["msg"], ()
    return _describe_wrong_value(model, group)


def _describe_unknown_key(
    model: type[BaseModel], path: KeyPath, loc: Sequence[Key]
) -> tuple[str, Sequence[str]]:
    key, allowed = path[-1], keys_at(model, loc[:-1])
    if new_path := renamed_key(path, allowed):
        return f"`{'.'.join(path)}` was renamed to `{new_path}`", ()
    suggestions = [
        ".".join(path) for name in sorted(names_of(key)) for path in paths_named(model, name)
    ]
    suggestions += [name for name in [nearest(key, allowed)] if name is not None]
    if not suggestions:
        return f"unknown key {key!r}", allowed
    return f"unknown key {key!r}; did you mean {' or '.join(map(repr, suggestions))}?", allowed


def _describe_wrong_value(model: type[BaseModel], group: _Group) -> tuple[str, Sequence[str]]:
    key = group.path[-1] if group.path else ""
    subject = f"item {key}" if key.isdigit() else repr(key)
    detail = group.details[0]
    value = detail["input"]
    names = [name for detail in group.details for name in _expected(detail)]
    if isinstance(value, str) and (new_value := renamed_value(group.path, value)):
        return f"{subject}: {value!r} was renamed to {new_value!r}", names
    required = " or ".join(dict.fromkeys(_requirement(detail) for detail in group.details))
    nearest = did_you_mean(value, names) if isinstance(value, str) else ""
    what = f"{subject} {required}, got {_short(value)}{nearest}{_purpose(model, detail['loc'])}"
    return what.replace(" or must", " or"), names


def _purpose(model: type[BaseModel], loc: Sequence[Key]) -> str:
    description = description_at(model, loc) or description_at(model, loc[:-1])
    return f" ({description})" if description else ""


def _requirement(detail: ErrorDetails) -> str:
    """Return ``"must be a valid integer"`` from ``"Input should be a valid integer, ..."``."""
    if detail["type"] == "path_type":
        return "must be a path"
    if detail["type"] == "too_short":
        minimum = detail["ctx"]["min_length"]
        return f"must have at least {minimum} {'item' if minimum == 1 else 'items'}"
    message = re.sub(r"^(Input|String|Tuple|List|Dictionary)\s+", "", detail["msg"])
    message = re.sub(r" or instance of \w+", "", message)
    return (
        message.split(", unable")[0]
        .replace("should", "must", 1)
        .replace("valid dictionary", "mapping")
        .replace("valid tuple", "list")
    )


def _expected(detail: ErrorDetails) -> list[str]:
    """Return the names in ``"'adamw' or 'sgd'"``."""
    if detail["type"] not in ("literal_error", "enum"):
        return []
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
