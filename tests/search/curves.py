"""An evaluator whose candidates have curves, some of which cross."""

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
    """Rises with the epochs, to a height and at a pace that the plan's digest decides."""
    code = int(candidate.digest[:8], 16)
    height, pace = 1.0 + (code % 97) / 97, 0.5 + (code // 97 % 89) / 89
    return dict.fromkeys(candidate.plan.tasks, height * (1.0 - 0.7 * 2.0 ** (-pace * epoch)))


@dataclass
class Curves:
    """Measures by :func:`curve`, notes what it was asked for and can be interrupted."""

    interrupts_at: int | None = None
    asked: list[tuple[str, int | None]] = field(default_factory=list)
    made: FunctionEvaluator = field(
        default_factory=lambda: FunctionEvaluator.of_curves(
            curve, TASKS, units=4, epochs=EPOCHS, seconds=1.0
        )
    )

    tasks = TASKS
    epochs = EPOCHS

    def __post_init__(self) -> None:
        self.units, self.cost = self.made.units, self.made.cost

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        if len(self.asked) == self.interrupts_at:
            raise KeyboardInterrupt
        self.asked.append((candidate.digest, epochs))
        return self.made.measure(number, candidate, progress, epochs)


def space(evaluator: Curves, **config: object) -> CandidateSpace:
    """Three tasks over four units, compared after 1 and 3 of 9 epochs."""
    halving = {"rungs": [1, 3], "reduction_factor": 3}
    return space_for(evaluator, halving=halving, **config)  # type: ignore[arg-type]


def run(
    store: TrialStore, evaluator: Curves, trials: int, seed: int = 0, **config: object
) -> TrialStore:
    search(space(evaluator, **config), evaluator, store, trials=trials, seed=seed)
    return store


def halving(**changes: object) -> SuccessiveHalving:
    """As :func:`space` has it."""
    config = SearchConfig.model_validate({"early_stopping": {"rungs": [1, 3], **changes}})
    return SuccessiveHalving.of(config, Curves(), TrialStore.in_memory().objectives)
