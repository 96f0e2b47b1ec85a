"""The exception classes; the tree is drawn in :mod:`mtlsearch.errors`."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Self

from mtlsearch.errors._nearest import did_you_mean


class MtlsearchError(Exception):
    """Root of all failures that mtlsearch reports to a person.

    Args:
        what: what is wrong, one sentence without a full stop.
        where: the file (with line or row), key, task or trial it concerns.
        allowed: the values that would have been right.
        next_step: what the person can do now.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        allowed: Sequence[str] = (),
        next_step: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.allowed = tuple(allowed)
        self.next_step = next_step

    def named_in(self, place: str) -> Self:
        """The same failure, which also says where what it concerns was asked for."""
        found = copy(self)
        found.where = f"{self.where}, named in {place}" if self.where else place
        return found

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where:   {self.where}")
        if self.allowed:
            lines.append(f"  allowed: {', '.join(self.allowed)}")
        if self.next_step:
            lines.append(f"  next:    {self.next_step}")
        return "\n".join(lines)


class ConfigError(MtlsearchError):
    """A run file, a ``--set`` or a command's option is wrong."""


class PluginError(MtlsearchError):
    """A plugin does not load, misspells a hook, gives a name twice or fails at work."""


class UnknownNameError(PluginError):
    """Nothing in the catalogue has that name.

    Args:
        what_kind: what was looked for, such as ``"task kind"``.
        name: the name nobody provides.
        known: the names there are; the nearest is suggested.
        where: where the name stands.
        next_step: where else to look; by default at the plugins.
    """

    def __init__(
        self,
        what_kind: str,
        name: str,
        known: Sequence[str],
        *,
        where: str | None = None,
        next_step: str = "`mtlsearch list plugins` shows the loaded plugins; install the missing "
        "package, or set --plugins to its folder",
    ) -> None:
        super().__init__(
            f"there is no {what_kind} named {name!r}{did_you_mean(name, known)}",
            where=where,
            allowed=sorted(known),
            next_step=next_step,
        )


class DataError(MtlsearchError):
    """A file or a row of a data set is bad."""


class PlanError(MtlsearchError):
    """A sharing plan is illegal for its tasks or units."""


class BackboneError(MtlsearchError):
    """A backbone cannot be made, loaded or cut."""


class TrainingError(MtlsearchError):
    """A candidate cannot be trained."""


class NonFiniteLossError(TrainingError):
    """A task's loss became infinite or not a number."""


class RunError(MtlsearchError):
    """A run directory is missing, in use or of another search."""


class ExportError(MtlsearchError):
    """A bundle cannot be written, or what lies there is no bundle."""
