"""Evaluator whose candidates have learning curves, some of which cross."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtlsearch.config import SearchConfig
from mtlsearch.plugin import Candidate
from mtlsearch.search import CandidateSpace, FunctionEvaluator, Measurement, SearchProgress, search
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.study import TrialStore
from tests.search.synthetic import space_for

TASKS = ("a", "b", "c")
EPOCHS = 9


def curve(candidate: Candidate, epoch: int) -> dict[str, float]:
    """Return scores that rise with the epochs; the digest defines final score and speed."""
    code = int(candidate.digest[:8], 16)
    height, pace = 1.0 + (code % 97) / 97, 0.5 + (code // 97 % 89) / 89
    return dict.fromkeys(candidate.plan.tasks, height * (1.0 - 0.7 * 2.0 ** (-pace * epoch)))


@dataclass
class Curves:
    """Evaluator by :func:`curve` that records its calls and can be interrupted."""

    interrupts_at: int | None = None
    calls: list[tuple[str, int | None]] = field(default_factory=list)
    evaluator: FunctionEvaluator = field(
        default_factory=lambda: FunctionEvaluator.from_curve(
            curve, TASKS, units=4, epochs=EPOCHS, seconds=1.0
        )
    )

    tasks = TASKS
    epochs = EPOCHS

    def __post_init__(self) -> None:
        self.units, self.cost = self.evaluator.units, self.evaluator.cost

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        if len(self.calls) == self.interrupts_at:
            raise KeyboardInterrupt
        self.calls.append((candidate.digest, epochs))
        return self.evaluator.measure(number, candidate, progress, epochs)


def space(evaluator: Curves, **config: object) -> CandidateSpace:
    """Return a space of three tasks and four units, compared after 1 and 3 of 9 epochs."""
    early_stopping = {"rungs": [1, 3], "reduction_factor": 3}
    return space_for(evaluator, early_stopping=early_stopping, **config)  # type: ignore[arg-type]


def run(
    store: TrialStore, evaluator: Curves, trials: int, seed: int = 0, **config: object
) -> TrialStore:
    search(space(evaluator, **config), evaluator, store, trials=trials, seed=seed)
    return store


def halving(**changes: object) -> SuccessiveHalving:
    """Return the rule of :func:`space`."""
    config = SearchConfig.model_validate({"early_stopping": {"rungs": [1, 3], **changes}})
    return SuccessiveHalving.from_config(config, Curves())
