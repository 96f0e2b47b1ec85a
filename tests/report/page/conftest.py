"""A run without training, its page, and a headless browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from mtlsearch.config import RunConfig
from mtlsearch.plan import UnitSpec
from mtlsearch.report._learning_curves import History
from mtlsearch.report.page import NetworkResults, RunContents, render_page
from mtlsearch.results import TaskResult, TrialRecord, leaderboard
from mtlsearch.search import Verdict
from tests.results.trials import SPECS, TASKS, UNITS, expectations
from tests.results.trials import run as run_of_trials

HOSTILE = "<script>window.hacked = true</script>"
"""A name that a page must show as text."""


@pytest.fixture(scope="session")
def contents() -> RunContents:
    """Return a run whose names contain markup: folder, class, source and reason."""
    records = [_with_classes(record) for record in run_of_trials()]
    records[3] = replace(records[3], reason=f"the loss is nan {HOSTILE}")
    sentences = ("Best plan: trial 5.", f"It beats hard. {HOSTILE}")
    return contents_of(records, Verdict(5, 5, 1.5, expectations(), sentences))


def contents_of(
    records: list[TrialRecord], verdict: Verdict | None = None, epochs: int = 5
) -> RunContents:
    """Return the contents of a run directory with some trials."""
    complete = [record for record in records if record.state == "complete"]
    expected = {} if verdict is None else verdict.expected_by_number
    frame = leaderboard(records, all_metrics=True, with_errors=True, expected=expected)
    return RunContents(
        name=f"run {HOSTILE}",
        path=Path("run"),
        config=config(),
        run_file=f"seed: 0  # {HOSTILE}\n",
        records=tuple(records),
        repeats=(),
        verdict=verdict,
        frame=frame,
        primary=("boxes.mAP", "depth.abs_rel", "scene.accuracy"),
        units={"resnet18": units()},
        history_by_trial={record.number: history(record.number, epochs) for record in complete},
        importance_by_param={f"learning_rate {HOSTILE}": 0.7, "split_1": 0.3},
        num_importance_trials=12,
        environments=({"torch": "2.11", "device": f"CPU {HOSTILE}"},),
    )


def units() -> list[UnitSpec]:
    """Return units whose parameters grow and whose FLOPs shrink with depth."""
    return [
        UnitSpec(index, f"layer{index}", 8 * 2**index, 2**index, 4**index * 1000, 9 * 10**6)
        for index in range(UNITS)
    ]


def config() -> RunConfig:
    """Return the run file of the trials."""
    source = {"kind": "folders", "root": HOSTILE}
    return RunConfig.model_validate(
        {
            "data": {"sources": source},
            "tasks": {task: {"kind": "classification"} for task in TASKS},
            "backbone": {"name": "resnet18"},
            "search": {"space": "tree"},
        }
    )


def history(number: int, epochs: int) -> History:
    """Return losses and metrics of a trial."""
    generator = np.random.default_rng(number)
    names = [f"{task}.{name}" for task in TASKS for name in _columns(task)]
    values = {name: generator.uniform(0.1, 0.9, epochs).tolist() for name in names}
    return {"epoch": [float(epoch) for epoch in range(epochs)], **values}


def _columns(task: str) -> list[str]:
    return ["loss", *(spec.name for spec in SPECS[task])]


def _with_classes(record: TrialRecord) -> TrialRecord:
    """Return a record in which a class of a task has a hostile name."""
    if record.state != "complete":
        return record
    scene = record.results["scene"]
    per_class = {"accuracy": {"street": 0.5, HOSTILE: 0.25}}
    named = TaskResult(dict(scene.metrics), scene.specs, per_class, 80, {"accuracy": 0.02})
    return replace(record, results={**record.results, "scene": named})


@pytest.fixture(scope="session")
def file(contents: RunContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page to a file once."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(contents, NetworkResults()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """Open the page; fail if it logs an error or requests anything else."""
    opened = browser.new_page()
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: problems.append(request.url))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    opened.goto(file.as_uri())
    yield opened
    assert problems == [file.as_uri()]
    opened.close()
