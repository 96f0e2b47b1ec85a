"""All that is wrong with a run file, gathered into one error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mtlsearch.config._locations import Key, KeyPath, SourceLocations
from mtlsearch.config._schema import description_at, keys_at
from mtlsearch.errors import ConfigError, did_you_mean

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, on which line, and what would be right."""

    what: str
    where: str
    allowed: tuple[str, ...] = ()


class ConfigErrors:
    """Gathers problems, so that a person sees all of them at once.

    Args:
        origins: tells on which line a key stands.
    """

    def __init__(self, origins: SourceLocations) -> None:
        self._origins = origins
        self._found: list[Problem] = []

    def add(self, what: str, path: Sequence[Key], allowed: Sequence[str] = ()) -> None:
        """Note a problem with the key at ``path``."""
        self._found.append(Problem(what, self._origins.where(*path), tuple(allowed)))

    def validate(
        self, model: type[ModelT], values: Mapping[str, Any], path: Sequence[Key] = ()
    ) -> ModelT | None:
        """The model made of ``values``, which stand at ``path``; None if they are wrong."""
        try:
            return model.model_validate(values)
        except ValidationError as error:
            self.explain(error, model, path)
        return None

    def explain(
        self, error: ValidationError, model: type[BaseModel], path: Sequence[Key] = ()
    ) -> None:
        """Note all that pydantic says of values which stand at ``path``."""
        details = error.errors(include_url=False)
        for group in _grouped(details, tuple(path), self._origins):
            _Wording(model, group).tell(self)

    def raise_if_any(self) -> None:
        """Stop if there are problems.

        Raises:
            ConfigError: there are; it lists every one with its line.
        """
        if self._found:
            raise self.error()

    def error(self) -> ConfigError:
        """One error that lists every problem, in the order of the file."""
        if len(self._found) == 1:
            (only,) = self._found
            return ConfigError(only.what, where=only.where, allowed=only.allowed)
        lines = [f"{len(self._found)} things are wrong"]
        for problem in sorted(self._found, key=_in_file):
            lines.append(f"  {problem.where}: {problem.what}")
            if problem.allowed:
                lines.append(f"    allowed: {', '.join(problem.allowed)}")
        return ConfigError("\n".join(lines), where=self._origins.file or None)


def _in_file(problem: Problem) -> list[str | int]:
    """A sort key in which line 9 comes before line 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", problem.where)]


@dataclass(frozen=True, slots=True)
class _Group:
    """What pydantic says of one key; several sayings are arms of a union."""

    path: KeyPath
    details: tuple[ErrorDetails, ...]


def _grouped(
    details: Sequence[ErrorDetails], prefix: tuple[Key, ...], origins: SourceLocations
) -> list[_Group]:
    """Sayings by the key they are about; a whole is not blamed beside its parts."""
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in details:
        by_path.setdefault(_path_of(detail, prefix, origins), []).append(detail)
    return [
        _Group(path, tuple(found))
        for path, found in by_path.items()
        if not any(other[: len(path)] == path != other for other in by_path)
    ]


def _path_of(detail: ErrorDetails, prefix: tuple[Key, ...], origins: SourceLocations) -> KeyPath:
    ctx = detail.get("ctx", {})
    loc = tuple(ctx["key"]) if "key" in ctx else detail["loc"]
    path = origins.locate((*prefix, *loc))
    return (*path, str(loc[-1])) if detail["type"] == "missing" else path


class _Wording:
    """Says one group in our words."""

    def __init__(self, model: type[BaseModel], group: _Group) -> None:
        self._model = model
        self._group = group
        self._detail = group.details[0]
        self._loc = self._detail["loc"]
        self._key = group.path[-1] if group.path else ""
        self._subject = f"item {self._key}" if self._key.isdigit() else repr(self._key)

    def tell(self, problems: ConfigErrors) -> None:
        what, allowed = self._words()
        problems.add(what, self._group.path, allowed)

    def _words(self) -> tuple[str, Sequence[str]]:
        kind = self._detail["type"]
        if kind == "extra_forbidden":
            keys = keys_at(self._model, self._loc[:-1])
            return f"unknown key {self._key!r}{did_you_mean(self._key, keys)}", keys
        if kind == "missing":
            return self._missing(), ()
        if self._loc and self._loc[-1] == "[key]":
            return f"the name {self._key!r} {_demand(self._detail)}", ()
        if kind == "value_error":
            return str(self._detail["ctx"]["error"]), ()
        if "key" in self._detail.get("ctx", {}):
            return self._detail["msg"], ()
        return self._wrong_value()

    def _missing(self) -> str:
        what = self._subject if self._key.isdigit() else f"key {self._subject}"
        return f"{what} is missing{self._purpose()}"

    def _wrong_value(self) -> tuple[str, Sequence[str]]:
        value = self._detail["input"]
        names = [name for detail in self._group.details for name in _expected(detail)]
        demands = " or ".join(dict.fromkeys(_demand(at) for at in self._group.details))
        nearest = did_you_mean(value, names) if isinstance(value, str) else ""
        what = f"{self._subject} {demands}, not {_short(value)}{nearest}{self._purpose()}"
        return what.replace(" or should", " or"), names

    def _purpose(self) -> str:
        said = description_at(self._model, self._loc) or description_at(self._model, self._loc[:-1])
        return f" ({said})" if said else ""


def _demand(detail: ErrorDetails) -> str:
    """``"should be a valid integer"``, from ``"Input should be a valid integer, unable ..."``."""
    if detail["type"] == "path_type":
        return "should be a path"
    if detail["type"] == "too_short":
        least = detail["ctx"]["min_length"]
        return f"should have at least {least} {'item' if least == 1 else 'items'}"
    message = re.sub(r"^(Input|String|Tuple|List|Dictionary)\s+", "", detail["msg"])
    message = re.sub(r" or instance of \w+", "", message)
    return (
        message.split(", unable")[0]
        .replace("valid dictionary", "mapping")
        .replace("valid tuple", "list")
    )


def _expected(detail: ErrorDetails) -> list[str]:
    """The names in ``"'adamw' or 'sgd'"``."""
    if detail["type"] not in ("literal_error", "enum"):
        return []
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
