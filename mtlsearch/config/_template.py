"""Commented run file template, generated from the pydantic models."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mtlsearch.config._data import SourceEntry
from mtlsearch.config._run import RunConfig
from mtlsearch.config._save import to_yaml
from mtlsearch.config._search import SpaceEntry
from mtlsearch.config._task_entry import TaskEntry


@dataclass(frozen=True, slots=True)
class Part:
    """A source, a task or a search space in a template.

    Attributes:
        kind: its name in the registry.
        settings: the model of its settings, shown with their descriptions.
        values: the settings to set; the others are commented out.
    """

    kind: str
    settings: type[BaseModel]
    values: Mapping[str, Any] = field(default_factory=dict)


def run_template(
    sources: Sequence[Part],
    tasks: Mapping[str, Part],
    space: Part,
    values: Mapping[str, Any],
) -> str:
    """Return a run file with every key, its value and its description.

    Args:
        sources: the data set sources.
        tasks: the tasks by name.
        space: the search space.
        values: values that differ from the defaults, by dotted key.

    Returns:
        The YAML text.
    """
    parts: dict[str, Sequence[str]] = {
        "data.sources": [
            line for part in sources for line in _item(list(_entry(part, SourceEntry)))
        ],
        "tasks": [
            line
            for name, part in tasks.items()
            for line in (f"{name}:", *_indented(_entry(part, TaskEntry)))
        ],
        "search.space": list(_entry(space, SpaceEntry)),
    }
    return "\n".join(_section(RunConfig, "", parts, values)) + "\n"


def _section(
    model: type[BaseModel],
    path: str,
    parts: Mapping[str, Sequence[str]],
    values: Mapping[str, Any],
) -> Iterator[str]:
    for name, info in model.model_fields.items():
        key = f"{path}.{name}" if path else name
        if not path and name in ("data", "tasks", "backbone", "train", "search", "limits"):
            yield ""
        if key in parts:
            yield from _comment(info.description)
            yield f"{name}:"
            yield from _indented(parts[key])
        elif isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _comment(_first_line(info.annotation))
            yield f"{name}:"
            yield from _indented(_section(info.annotation, key, parts, values))
        else:
            value = values.get(key, info.get_default(call_default_factory=True))
            yield _line(name, value, info)


def _entry(part: Part, entry: type[BaseModel]) -> Iterator[str]:
    """Yield the lines of a source, a task or a space; unset keys are comments."""
    yield f"kind: {part.kind}"
    for name, info in {**entry.model_fields, **part.settings.model_fields}.items():
        if name == "kind":
            continue
        if name in part.values:
            yield _line(name, part.values[name], info)
        else:
            default = None if info.is_required() else info.get_default(call_default_factory=True)
            yield f"# {_line(name, default, info)}"


def _line(name: str, value: Any, info: FieldInfo) -> str:
    text = f"{name}: {_inline(value)}"
    return f"{text:<26}  # {info.description}" if info.description else text


def _inline(value: Any) -> str:
    """Return a value as YAML on one line."""
    return to_yaml([value]).strip()[1:-1] if not _is_nested(value) else to_yaml(value).strip()


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list | tuple | BaseModel)


def _comment(text: str | None) -> list[str]:
    return [f"# {text}"] if text else []


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").splitlines()[0]


def _indented(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _item(lines: Sequence[str]) -> list[str]:
    """Return the lines of a mapping as an item of a list."""
    first, *rest = lines
    return [f"- {first}", *_indented(rest)]
