"""Checks of the classes that a plugin adds."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mtlsearch.plugin import Balancer, DatasetSource, Form, Logger, SearchSpace, Settings, Task


@dataclass(frozen=True, slots=True)
class Kind:
    """Kind of class that plugins add.

    Attributes:
        noun: name of the kind in messages.
        hook: name of the hook that returns the classes.
        base: base class.
        attribute: class attribute with the name in run files.
    """

    noun: str
    hook: str
    base: type[Any]
    attribute: str


TASKS = Kind("task kind", "mtlsearch_tasks", Task, "kind")
DATASETS = Kind("data set source", "mtlsearch_datasets", DatasetSource, "name")
SPACES = Kind("search space", "mtlsearch_search_spaces", SearchSpace, "name")
BALANCERS = Kind("balancer", "mtlsearch_balancers", Balancer, "name")
LOGGERS = Kind("logger", "mtlsearch_loggers", Logger, "name")
KINDS = (TASKS, DATASETS, SPACES, BALANCERS, LOGGERS)


def find_errors(kind: Kind, returned: object) -> Iterator[str]:
    """Yield the errors in the return value of a hook."""
    if not isinstance(returned, list | tuple):
        yield f"{kind.hook} must return a list of classes, got {_short(returned)}"
        return
    names: list[str] = []
    for item in returned:
        errors = list(_class_errors(kind, item))
        yield from errors
        if not errors:
            names.append(name_of(kind, item))
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{kind.hook} returns the {kind.noun} {name!r} twice"


def name_of(kind: Kind, item: type[Any]) -> str:
    """Return the name of a class in run files."""
    return str(getattr(item, kind.attribute))


def _class_errors(kind: Kind, item: object) -> Iterator[str]:
    if not (isinstance(item, type) and issubclass(item, kind.base)):
        yield f"{kind.hook} returns {_short(item)}, which is not a subclass of {kind.base.__name__}"
        return
    subject = f"{item.__name__} of {kind.hook}"
    if inspect.isabstract(item):
        missing = ", ".join(sorted(getattr(item, "__abstractmethods__", ())))
        yield f"{subject} does not implement {missing}"
    for attribute in (kind.attribute, "summary"):
        text = getattr(item, attribute, None)
        if not isinstance(text, str) or not text.strip():
            yield f"{subject} has no {attribute!r}, which must be a text"
    settings = getattr(item, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        yield f"{subject}: Settings is not a subclass of mtlsearch.plugin.Settings"
    if kind is TASKS and not _has_forms(item):
        yield f"{subject} has no 'accepts', which must be a tuple of label forms"


def _has_forms(item: type[Any]) -> bool:
    forms = getattr(item, "accepts", ())
    return (
        bool(forms) and isinstance(forms, tuple) and all(isinstance(form, Form) for form in forms)
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
