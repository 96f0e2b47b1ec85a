"""All problems of a run file, collected into one error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mtlsearch.config._locations import Key, KeyPath, SourceLocations
from mtlsearch.config._renamed import USUAL_NAMES, names_of, renamed_key, renamed_value
from mtlsearch.config._run import RunConfig
from mtlsearch.config._schema import description_at, keys_at, paths_named, sections_at
from mtlsearch.config._section import OpenSection
from mtlsearch.errors import ConfigError, did_you_mean, nearest, requirement

ModelT = TypeVar("ModelT", bound=BaseModel)

NAME_PATTERN = "^[a-z][a-z0-9_]*$"
"""Pattern of the names of tasks."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: what is wrong, its location, and the allowed values."""

    what: str
    where: str
    allowed: tuple[str, ...] = ()
    next_step: str | None = None


class ConfigErrors:
    """Collector of problems, so that one error reports all of them.

    Args:
        origins: the locations of the keys.
    """

    def __init__(self, origins: SourceLocations) -> None:
        self._origins = origins
        self._problems: list[Problem] = []

    def add(
        self,
        what: str,
        path: Sequence[Key],
        allowed: Sequence[str] = (),
        next_step: str | None = None,
    ) -> None:
        """Add a problem.

        Args:
            what: what is wrong, without a full stop.
            path: path of the key.
            allowed: valid values or keys.
            next_step: how to fix the problem.
        """
        where = self._origins.where(*path)
        self._problems.append(Problem(what, where, tuple(allowed), next_step))

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
            what, allowed = _describe(model, group, _entry_keys(path))
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
            return ConfigError(
                problem.what,
                where=problem.where,
                allowed=problem.allowed,
                next_step=problem.next_step,
            )
        lines = [f"{len(self._problems)} problems"]
        for problem in sorted(self._problems, key=_file_order):
            lines.append(f"  {problem.where}: {problem.what}")
            if problem.allowed:
                lines.append(f"    allowed: {', '.join(problem.allowed)}")
        steps = dict.fromkeys(item.next_step for item in self._problems if item.next_step)
        next_step = "; ".join(steps) or None
        return ConfigError("\n".join(lines), where=self._origins.file or None, next_step=next_step)


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


def _entry_keys(path: Sequence[Key]) -> list[str]:
    """Return the keys of the run file itself beside the settings of a plugin at a path."""
    return [
        key
        for section in sections_at(RunConfig, path)
        if issubclass(section, OpenSection)
        for key in section.model_fields
    ]


def _describe(
    model: type[BaseModel], group: _Group, entry_keys: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """Return the message of a group and the allowed values."""
    detail = group.details[0]
    kind, loc, ctx = detail["type"], detail["loc"], detail.get("ctx", {})
    key = group.path[-1] if group.path else ""
    if kind == "extra_forbidden":
        return _describe_unknown_key(model, group.path, loc, entry_keys)
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
    model: type[BaseModel], path: KeyPath, loc: Sequence[Key], entry_keys: Sequence[str]
) -> tuple[str, Sequence[str]]:
    key, allowed = path[-1], keys_at(model, loc[:-1])
    if len(loc) == 1:
        allowed = [*entry_keys, *allowed]
    if new_path := renamed_key(path, allowed):
        return f"`{'.'.join(path)}` was renamed to `{new_path}`", ()
    places = [place for name in sorted(names_of(key)) for place in paths_named(model, name)]
    at_top = (
        " at the top level" if len(path) > 1 and any(len(place) == 1 for place in places) else ""
    )
    suggestions = [".".join(place) for place in places]
    usual = USUAL_NAMES.get(key)
    match = usual if usual in allowed else nearest(key, allowed)
    suggestions += [match] if match is not None else []
    if not suggestions:
        return f"unknown key {key!r}", allowed
    return (
        f"unknown key {key!r}; did you mean {' or '.join(map(repr, suggestions))}{at_top}?",
        allowed,
    )


def _describe_wrong_value(model: type[BaseModel], group: _Group) -> tuple[str, Sequence[str]]:
    *before, key = group.path or ("",)
    name = f"`{'.'.join(group.path)}`"
    subject = f"item {key} of `{'.'.join(before)}`" if key.isdigit() else name
    detail = group.details[0]
    value = detail["input"]
    names = [name for detail in group.details for name in _expected(detail)]
    if isinstance(value, str) and (new_value := renamed_value(group.path, value)):
        return f"{subject}: {value!r} was renamed to {new_value!r}", names
    required = " or ".join(dict.fromkeys(_requirement(detail) for detail in group.details))
    nearest = did_you_mean(value, names) if isinstance(value, str) else ""
    what = f"{subject} {required}, got {_short(value)}{nearest}{_purpose(model, detail['loc'])}"
    others = [_noun(detail) for detail in group.details if not _expected(detail)] if names else []
    return what.replace(" or must", " or"), list(dict.fromkeys([*names, *others]))


def _purpose(model: type[BaseModel], loc: Sequence[Key]) -> str:
    description = description_at(model, loc) or description_at(model, loc[:-1])
    return f" ({description})" if description else ""


def _requirement(detail: ErrorDetails) -> str:
    """Return what a value must be: ``"must be an integer"``."""
    if detail["type"] == "string_pattern_mismatch" and detail["ctx"]["pattern"] == NAME_PATTERN:
        return "must start with a letter and contain only a-z, 0-9 and _, such as my_task"
    return requirement(detail)


def _noun(detail: ErrorDetails) -> str:
    """Return an alternative of named values, such as ``"an integer"``."""
    requirement = _requirement(detail)
    if requirement.startswith("must be greater"):
        return requirement.replace("must be", "a number", 1)
    return requirement.removeprefix("must be ")


def _expected(detail: ErrorDetails) -> list[str]:
    """Return the names in ``"'adamw' or 'sgd'"``."""
    if detail["type"] not in ("literal_error", "enum"):
        return []
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))


def _short(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
