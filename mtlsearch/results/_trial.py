"""One candidate trained and measured, or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from mtlsearch.errors import RunError
from mtlsearch.plugin import Candidate
from mtlsearch.results._latency import Latency
from mtlsearch.results._result import TaskResult

State = Literal["running", "complete", "paused", "failed", "interrupted", "infeasible"]
"""How a trial stands. Only ``complete`` ones have results to rank; ``stopped`` ones may go on,
``rejected`` ones are over the budget and not trained."""

Baseline = Literal["independent", "hard"]
"""Which baseline a trial is."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """All that is known of one trial.

    Attributes:
        number: its place in the study, from 0.
        state: how it stands.
        role: which baseline it is, None for a proposed candidate.
        candidate: what was trained.
        parameters: scalars in the network's weights, heads included.
        flops: floating-point operations for one image (2 x multiply-adds), heads included.
        results: what was measured, by task; empty unless complete.
        epochs: how many were trained.
        seconds: wall time of training and evaluation.
        why: why it is not complete, for people.
        note: what a reader of its results should know, for people; empty if nothing.
        latency: how long its network takes; None where nobody asked.
        over_budget: what of it is over the run's budget, for people; empty if nothing. Such a
            trial, a baseline, is never the best.
        rung_results: what was measured after earlier epochs, by epoch, from 1; only where trials are
            compared by ``search.early_stopping``.
        val_images: how many validation images the results are of; None where nobody counted.
    """

    number: int
    state: State
    baseline: Baseline | None
    candidate: Candidate
    parameters: int
    flops: int
    results: Mapping[str, TaskResult] = field(default_factory=dict)
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""
    note: str = ""
    latency: Latency | None = None
    over_limits: str = ""
    rung_results: Mapping[int, Mapping[str, TaskResult]] = field(default_factory=dict)
    val_images: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "results", _frozen(self.results))
        rung_results = {at: _frozen(results) for at, results in sorted(self.rung_results.items())}
        object.__setattr__(self, "rung_results", MappingProxyType(rung_results))

    @property
    def plan(self) -> str:
        """The sharing plan, for people."""
        return str(self.candidate.plan)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form, plan text and digest beside it; :meth:`from_json` reads it back."""
        return {
            "number": self.number,
            "state": self.state,
            "baseline": self.baseline,
            "plan": self.plan,
            "digest": self.candidate.digest,
            "candidate": self.candidate.to_json(),
            "parameters": self.parameters,
            "flops": self.flops,
            "results": _results_to_json(self.results),
            "epochs": self.epochs,
            "seconds": self.seconds,
            "reason": self.reason,
            "note": self.note,
            "latency": None if self.latency is None else self.latency.to_json(),
            "over_limits": self.over_limits,
            "rung_results": {
                str(at): _results_to_json(results) for at, results in self.rung_results.items()
            },
            "val_images": self.val_images,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrialRecord:
        """The record that :meth:`to_json` wrote.

        Raises:
            RunError: the value is not of that form.
        """
        try:
            return cls(
                number=int(value["number"]),
                state=value["state"],
                baseline=value["baseline"],
                candidate=Candidate.from_json(value["candidate"]),
                parameters=int(value["parameters"]),
                flops=int(value["flops"]),
                results=_results_from_json(value["results"]),
                epochs=int(value["epochs"]),
                seconds=float(value["seconds"]),
                reason=str(value["reason"]),
                note=str(value.get("note", "")),
                latency=Latency.from_json(value["latency"]) if value.get("latency") else None,
                over_limits=str(value.get("over_limits", "")),
                rung_results={
                    int(at): _results_from_json(results)
                    for at, results in value.get("rung_results", {}).items()
                },
                val_images=int(value["val_images"]) if value.get("val_images") else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(
                f"a trial's record cannot be read ({type(error).__name__}: {error})",
                next_step="it was written by another version of mtlsearch, or by hand",
            ) from error


def _frozen(results: Mapping[str, TaskResult]) -> Mapping[str, TaskResult]:
    return MappingProxyType(dict(sorted(results.items())))


def _results_to_json(results: Mapping[str, TaskResult]) -> dict[str, Any]:
    return {task: result.to_json() for task, result in results.items()}


def _results_from_json(value: Mapping[str, Any]) -> dict[str, TaskResult]:
    return {task: TaskResult.from_json(result) for task, result in value.items()}
