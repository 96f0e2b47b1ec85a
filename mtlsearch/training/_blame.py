"""What fails in a task's own code, told as that task's."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

from mtlsearch.errors import MtlsearchError, PluginError
from mtlsearch.plugin import Task


@contextmanager
def blamed_on(task: Task, part: str) -> Iterator[None]:
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
            where=f"task kind {task.kind!r}, {inspect.getfile(type(task))}",
            next_step="mend the kind; --debug shows the traceback, "
            "mtlsearch.testing.TaskContract tries a kind without a search",
        ) from error
