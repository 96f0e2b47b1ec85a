"""Exception classes; :mod:`mtlsearch.errors` has a diagram of the tree."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Self

from mtlsearch.errors._nearest import did_you_mean


class MtlsearchError(Exception):
    """Base class of all failures that mtlsearch reports to users.

    Args:
        what: the problem, one sentence without a period.
        where: file (with line or row), key, task or trial.
        allowed: valid values.
        next_step: how to fix the problem, in the imperative.
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
        """Return a copy that also contains the place that refers to the invalid value.

        Args:
            place: such as a line of a run file.

        Returns:
            The error with a longer ``where``.
        """
        error = copy(self)
        error.where = f"{self.where}, named in {place}" if self.where else place
        return error

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
    """A run file, a ``--set`` or an option of a command is invalid."""


class PluginError(MtlsearchError):
    """A plugin does not load, misspells a hook, repeats a name or fails."""


class UnknownNameError(PluginError):
    """The registry does not contain a name.

    Args:
        noun: kind of the name, such as ``"task kind"``.
        name: the unknown name.
        names: the registered names; the message suggests the most similar one.
        where: place of the name.
        next_step: how to fix the problem.
    """

    def __init__(
        self,
        noun: str,
        name: str,
        names: Sequence[str],
        *,
        where: str | None = None,
        next_step: str = "run `mtlsearch list plugins` to see what is loaded, install the missing "
        "package, or give its folder with --plugins",
    ) -> None:
        super().__init__(
            f"unknown {noun} {name!r}{did_you_mean(name, names)}",
            where=where,
            allowed=sorted(names),
            next_step=next_step,
        )


class DataError(MtlsearchError):
    """A file or a row of a data set is invalid."""


class PlanError(MtlsearchError):
    """A sharing plan is illegal for its tasks or units."""


class BackboneError(MtlsearchError):
    """A backbone cannot be created, loaded or cut."""


class TrainingError(MtlsearchError):
    """A candidate cannot be trained."""


class NonFiniteLossError(TrainingError):
    """The loss of a task became infinite or NaN."""


class RunError(MtlsearchError):
    """A run directory is missing, in use or of another search."""


class InfrastructureError(MtlsearchError):
    """A disk, the memory or the storage fails: the same command resumes when it works again."""


class ExportError(MtlsearchError):
    """A bundle cannot be written, or a folder is not a valid bundle."""
