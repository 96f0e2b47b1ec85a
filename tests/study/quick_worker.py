"""Worker of a study whose trainings take a part of a second, to be killed at any moment.

``python -m tests.study.quick_worker FOLDER TRIALS [URL]`` ends when the search ends.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mtlsearch.plugin import Candidate
from mtlsearch.search import FunctionEvaluator, Measurement, SearchProgress, search
from mtlsearch.study import RunDirectory, TrialStore, open_storage
from tests.search.curves import EPOCHS, TASKS, Curves, curve, space

NAME = "quick"
NUM_UNITS = 10


@dataclass
class QuickTraining(Curves):
    """Evaluator with a file per training, as weights are."""

    folder: Path = Path()
    seconds: float = 0.1

    def __post_init__(self) -> None:
        self.evaluator = FunctionEvaluator.from_curve(
            curve, TASKS, units=NUM_UNITS, epochs=EPOCHS, seconds=1.0
        )
        super().__post_init__()

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        time.sleep(self.seconds * (1.0 + int(candidate.digest[0], 16) / 8))
        file = self.folder / "measured" / f"{number}-{epochs}-{time.monotonic_ns()}"
        file.parent.mkdir(exist_ok=True)
        file.write_text(candidate.digest)
        return super().measure(number, candidate, progress, epochs)


def open_quick_store(folder: Path, url: str | None) -> TrialStore:
    storage = open_storage(url, folder / "study.journal", on_outage=lambda text: None)
    return TrialStore(storage, NAME)


def main(folder: Path, trials: int, url: str | None = None) -> None:
    evaluator = QuickTraining(folder=folder)
    with RunDirectory(folder).setting_up():
        store = open_quick_store(folder, url)
    with store.joined(folder):
        search(space(evaluator), evaluator, store, trials=trials, seed=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
