"""Checks of the hooks that a plugin implements."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from mtlsearch.errors import did_you_mean
from mtlsearch.plugin import PROJECT, hooks

PREFIX = f"{PROJECT}_"
_IMPL, _SPEC = f"{PROJECT}_impl", f"{PROJECT}_spec"  # attributes that pluggy's decorators set

HOOKS: tuple[str, ...] = tuple(
    sorted(name for name in vars(hooks) if hasattr(getattr(hooks, name), _SPEC))
)
"""Names of all hooks, sorted."""


def find_errors(plugin: object) -> Iterator[str]:
    """Yield the errors in a plugin's hooks; pluggy ignores misspelled hooks silently."""
    is_implemented = False
    for name, value in inspect.getmembers(plugin, inspect.isroutine):
        is_marked = hasattr(value, _IMPL)
        if name in HOOKS:
            is_implemented = is_implemented or is_marked
            if not is_marked:
                yield f"{name} lacks the decorator @hookimpl and is never called"
        elif is_marked or name.startswith(PREFIX):
            is_implemented = True  # a misspelled hook, which is reported here
            yield f"the hook {name!r} does not exist{did_you_mean(name, HOOKS)}"
    if not is_implemented:
        yield f"the plugin implements no hook; available: {', '.join(HOOKS)}"
