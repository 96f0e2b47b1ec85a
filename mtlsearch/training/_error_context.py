"""What fails in a task's own code, told as that task's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mtlsearch.errors import MtlsearchError, PluginError
from mtlsearch.plugin import Task


@contextmanager
def attribute_errors_to(task: Task, part: str) -> Iterator[None]:
    """Raise a PluginError that names a task where its code raises; ours pass as they are.

    Args:
        task: whose code runs.
        part: which part of it: ``"head"``.

    Raises:
        PluginError: it has raised something.
    """
    try:
        yield
    except MtlsearchError:
        raise
    except Exception as error:  # a plugin may raise anything; it is the cause of what is told
        raise PluginError(
            f"the {part} of task {task.name!r} fails: {type(error).__name__}: "
            f"{' '.join(str(error).split())}",
            where=place_of(task),
            next_step="mend the kind; --debug shows the traceback, "
            "mtlsearch.testing.TaskContract tries a kind without a search",
        ) from error


def place_of(task: Task) -> str:
    """A task's kind, and the file it comes from where there is one, for messages."""
    file = getattr(sys.modules.get(type(task).__module__), "__file__", None)
    return f"task kind {task.kind!r}" + (f", {file}" if file else "")
