"""What of ``search`` is about knowledge between tasks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, field_validator

from mtlsearch.config._section import Section

Kind = Literal["none", "baseline", "mutual"]


class DistillationEntry(Section):
    """A term that draws each task's features towards others."""

    kind: Kind = Field(
        description="distil: towards the task's own independent baseline; mutual: towards the "
        "other tasks; none"
    )
    alpha: PositiveFloat | tuple[PositiveFloat, PositiveFloat] = Field(
        1.0, description="what the term counts for, or a range to search, on a log scale"
    )

    @field_validator("alpha")
    @classmethod
    def _rises(cls, value: float | tuple[float, float]) -> float | tuple[float, float]:
        if isinstance(value, tuple) and value[0] >= value[1]:
            raise ValueError(f"alpha's range rises, such as [0.01, 1.0], not {list(value)}")
        return value


DistillationName = Kind | DistillationEntry
DistillationInput = DistillationName | tuple[DistillationName, ...]


def options(given: DistillationInput) -> tuple[DistillationEntry, ...]:
    """What to choose from; a list always has ``none``, and first."""
    if not isinstance(given, tuple):
        return (_entry(given),)
    entries = (_entry(at) for at in given)
    return (_entry("none"), *(entry for entry in entries if entry.kind != "none"))


def reject_duplicates(given: DistillationInput) -> None:
    """Refuse an empty list, and one that names a kind twice.

    Raises:
        ValueError: it is such a list.
    """
    kinds: list[str] = [_entry(at).kind for at in given] if isinstance(given, tuple) else ["none"]
    if not kinds:
        raise ValueError("knowledge names nothing; `distillation: none` goes without")
    if twice := next((kind for kind in kinds if kinds.count(kind) > 1), None):
        raise ValueError(f"knowledge names {twice!r} twice; alpha may be a range")


def _entry(given: DistillationName) -> DistillationEntry:
    return DistillationEntry(kind=given) if isinstance(given, str) else given
