"""Whether a plugin's hooks are those there are."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from mtlsearch.errors import did_you_mean
from mtlsearch.plugin import PROJECT, hooks

PREFIX = f"{PROJECT}_"
_IMPL, _SPEC = f"{PROJECT}_impl", f"{PROJECT}_spec"  # what pluggy's markers leave behind

HOOKS: tuple[str, ...] = tuple(
    sorted(name for name in vars(hooks) if hasattr(getattr(hooks, name), _SPEC))
)
"""Every hook, by name."""


def find_errors(plugin: object) -> Iterator[str]:
    """What is wrong with a plugin's hooks; a misspelt one would be silently ignored."""
    implemented = False
    for name, value in inspect.getmembers(plugin, inspect.isroutine):
        marked = hasattr(value, _IMPL)
        if name in HOOKS:
            implemented = implemented or marked
            if not marked:
                yield f"{name} lacks the decorator @hookimpl and would never be called"
        elif marked or name.startswith(PREFIX):
            implemented = True  # it meant to
            yield f"there is no hook {name!r}{did_you_mean(name, HOOKS)}"
    if not implemented:
        yield f"it implements no hook; there are {', '.join(HOOKS)}"
