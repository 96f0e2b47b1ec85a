"""Evaluator by formula, so that a search takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import SAMPLER_NAMES, SearchConfig
from mtlsearch.errors import TrainingError
from mtlsearch.plan import Cost, UnitSpec, plan_cost
from mtlsearch.plugin import Candidate, Metric, SearchSpace
from mtlsearch.results import TaskResult
from mtlsearch.search import CandidateSpace, Measurement, NullProgress, SearchProgress

QUICK_SAMPLERS = tuple(name for name in SAMPLER_NAMES if name != "gp")
"""Samplers without ``gp``, which takes a second per proposal."""

SCORE = (Metric("score", higher_is_better=True, primary=True, high=float("inf")),)


class Notes(NullProgress):
    """Progress callbacks that keep the notes of a search."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def units(count: int) -> list[UnitSpec]:
    return [UnitSpec(index, f"unit{index}", 8, 2, 100, 1000) for index in range(count)]


def sharing_score(candidate: Candidate) -> float:
    """Return a score that is highest if all tasks share exactly half of the units."""
    shared = sum(copies == 1 for copies in candidate.plan.copies)
    return 2.0 - abs(shared - len(candidate.plan.rows) / 2) / len(candidate.plan.rows)


@dataclass
class Formula:
    """Evaluator by a function of the candidate."""

    tasks: tuple[str, ...] = ("a", "b", "c")
    count: int = 4
    score: Callable[[Candidate], float] = sharing_score
    fails: Callable[[int], bool] = lambda number: False
    interrupts_at: int | None = None
    note: str = ""
    measured: list[Candidate] = field(default_factory=list)

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        return units(self.count)

    def cost(self, candidate: Candidate) -> Cost:
        return plan_cost(candidate.plan, units(self.count))

    @property
    def epochs(self) -> int:
        return 1

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        if number == self.interrupts_at:
            raise KeyboardInterrupt
        self.measured.append(candidate)
        if self.fails(number):
            raise TrainingError("it would not train")
        value = self.score(candidate)
        return Measurement(
            {task: TaskResult({"score": value}, SCORE) for task in self.tasks}, 1, 0.1, self.note
        )


def space_for(evaluator: Formula, **config: object) -> CandidateSpace:
    return CandidateSpace(
        space=TreeSpace(TreeSettings()),
        config=SearchConfig.model_validate({"stop_when_settled": False, **config}),
        tasks=evaluator.tasks,
        backbones=("one",),
        learning_rate=0.1,
        units_of=evaluator.units,
    )


def with_space(space: SearchSpace[Any], **config: object) -> CandidateSpace:
    """Return the candidate space of a formula with another search space."""
    plain = space_for(Formula(), **config)
    return CandidateSpace(
        space, plain.config, plain.tasks, plain.backbones, plain.learning_rate, plain.units_of
    )
