"""Key ``search.distillation`` of a run file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat, field_validator

from mtlsearch.config._section import Section

DistillationKind = Literal["none", "baseline", "mutual"]


class DistillationEntry(Section):
    """An auxiliary loss that moves the features of a task toward a target."""

    kind: DistillationKind = Field(
        description="target of the features: baseline (the task's independent baseline), mutual "
        "(the other tasks), or none"
    )
    alpha: PositiveFloat | tuple[PositiveFloat, PositiveFloat] = Field(
        1.0, description="weight of the auxiliary loss, or a range to search on a log scale"
    )

    @field_validator("alpha")
    @classmethod
    def _check_range(cls, value: float | tuple[float, float]) -> float | tuple[float, float]:
        if isinstance(value, tuple) and value[0] >= value[1]:
            raise ValueError(
                f"`alpha` must be a rising range, such as [0.01, 1.0], got {list(value)}"
            )
        return value


DistillationName = DistillationKind | DistillationEntry
DistillationInput = DistillationName | tuple[DistillationName, ...]


def distillation_entries(value: DistillationInput) -> tuple[DistillationEntry, ...]:
    """Return the options to search over; in a list, ``none`` is always the first."""
    if not isinstance(value, tuple):
        return (_entry(value),)
    entries = (_entry(item) for item in value)
    return (_entry("none"), *(entry for entry in entries if entry.kind != "none"))


def reject_duplicates(value: DistillationInput) -> None:
    """Check that a list of options is not empty and contains each kind once.

    Raises:
        ValueError: the list is empty or contains a kind twice.
    """
    if not isinstance(value, tuple):
        return
    kinds: list[str] = [_entry(item).kind for item in value]
    if not kinds:
        raise ValueError("`distillation` is an empty list; set `distillation: none` to disable it")
    if duplicate := next((kind for kind in kinds if kinds.count(kind) > 1), None):
        raise ValueError(
            f"`distillation` contains {duplicate!r} twice; set a range as its `alpha` instead"
        )


def _entry(value: DistillationName) -> DistillationEntry:
    return DistillationEntry(kind=value) if isinstance(value, str) else value
