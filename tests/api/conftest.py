"""One small search from Python, interrupted once, that the test files share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

import mtlsearch

RUN_FILE: dict[str, Any] = {
    "seed": 1,
    "data": {
        "sources": {"kind": "scenes", "train": 32, "val": 12, "test": 3, "image_size": 32},
        "image_size": 32,
        "augment": {"crop": None, "flip": 0.5, "jitter": 0.1},
    },
    "tasks": {
        "scene": {"kind": "classification"},
        "objects": {"kind": "detection", "channels": 16},
        "shapes": {"kind": "segmentation", "channels": 16},
    },
    "backbone": {"name": "test_resnet"},
    "train": {"epochs": 2, "batch_size": 8, "learning_rate": 0.003},
    "search": {"space": "tree", "trials": 3, "keep_weights": 3},
}


@dataclass
class Lines:
    """Lines of progress; the one with ``stop`` raises an interrupt.

    Attributes:
        stop: part of the line, such as the end of a trial.
        lines: all lines so far.
    """

    stop: str = "never"
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if self.stop in line:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class PythonSearch:
    """A search from Python that was interrupted after its first trial.

    Attributes:
        run: the finished run; tests must not change it.
        interruption: message of the interrupt.
        first: the first trial after the interrupt.
        resumed: lines of the call that resumed the search.
    """

    run: mtlsearch.Run
    interruption: str
    first: mtlsearch.Trial
    resumed: list[str]


@pytest.fixture(scope="session")
def python_search(tmp_path_factory: pytest.TempPathFactory) -> PythonSearch:
    """Search, interrupt the second trial, and resume by the same call.

    Once per worker; its tests are in the xdist group ``python_search``.
    """
    folder = tmp_path_factory.mktemp("python") / "run"
    with pytest.raises(KeyboardInterrupt) as stop:
        mtlsearch.search(RUN_FILE, folder, device="cpu", progress=Lines("trial 1: hard"))
    first = mtlsearch.load(folder).trials[0]
    resumed = Lines()
    run = mtlsearch.search(RUN_FILE, folder, device="cpu", progress=resumed)
    return PythonSearch(run, str(stop.value), first, resumed.lines)


@pytest.fixture(scope="session")
def run(python_search: PythonSearch) -> mtlsearch.Run:
    """Return the finished run."""
    return python_search.run
