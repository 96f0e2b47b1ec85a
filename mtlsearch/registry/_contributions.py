"""What a plugin hands in, checked."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mtlsearch.plugin import Balancer, DatasetSource, Form, SearchSpace, Settings, Task


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of contribution.

    Attributes:
        noun: what a person calls it.
        hook: the hook that hands it in.
        base: the class it derives from.
        attribute: the class attribute with its name.
        command: the command that lists it.
    """

    noun: str
    hook: str
    base: type[Any]
    attribute: str
    command: str


TASKS = Kind("task kind", "mtlsearch_tasks", Task, "kind", "tasks")
DATASETS = Kind("data set source", "mtlsearch_datasets", DatasetSource, "name", "datasets")
SPACES = Kind("search space", "mtlsearch_search_spaces", SearchSpace, "name", "spaces")
BALANCERS = Kind("balancer", "mtlsearch_balancers", Balancer, "name", "balancers")
KINDS = (TASKS, DATASETS, SPACES, BALANCERS)


def find_errors(kind: Kind, handed_in: object) -> Iterator[str]:
    """What is wrong with the answer of a hook."""
    if not isinstance(handed_in, list | tuple):
        yield f"{kind.hook} should return a list of classes, not {_said(handed_in)}"
        return
    names: list[str] = []
    for item in handed_in:
        faults = list(_faults_of_one(kind, item))
        yield from faults
        if not faults:
            names.append(name_of(kind, item))
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{kind.hook} gives the {kind.noun} {name!r} twice"


def name_of(kind: Kind, item: type[Any]) -> str:
    """The name by which run files ask for a contribution."""
    return str(getattr(item, kind.attribute))


def _faults_of_one(kind: Kind, item: object) -> Iterator[str]:
    if not (isinstance(item, type) and issubclass(item, kind.base)):
        yield f"{kind.hook} gives {_said(item)}, which is no subclass of {kind.base.__name__}"
        return
    whose = f"{item.__name__} of {kind.hook}"
    if inspect.isabstract(item):
        missing = ", ".join(sorted(getattr(item, "__abstractmethods__", ())))
        yield f"{whose} does not implement {missing}"
    for attribute in (kind.attribute, "summary"):
        text = getattr(item, attribute, None)
        if not isinstance(text, str) or not text.strip():
            yield f"{whose} has no {attribute!r}, a text"
    settings = getattr(item, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        yield f"{whose} has Settings that are no subclass of mtlsearch.plugin.Settings"
    if kind is TASKS and not _has_forms(item):
        yield f"{whose} has no 'accepts', a tuple of the label forms it can learn"


def _has_forms(item: type[Any]) -> bool:
    forms = getattr(item, "accepts", ())
    return bool(forms) and isinstance(forms, tuple) and all(isinstance(at, Form) for at in forms)


def _said(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
