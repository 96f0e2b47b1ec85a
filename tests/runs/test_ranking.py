"""The metrics that rank: those of ``rank_by``, after the last epoch and not after the best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mtlsearch.results import TrialRecord, delta_m, delta_m_by_task
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call

RANKED_RUN = (
    RUN_FILE.replace("{kind: classification}", "{kind: classification, rank_by: nll}")
    .replace("epochs: 1", "epochs: 4")
    .replace("learning_rate: 0.003", "learning_rate: 0.03")
    .replace("trials: 4", "trials: 3")
)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranked")
    (folder / "run.yaml").write_text(RANKED_RUN)
    result = call("search", folder / "run.yaml", "--out", folder / "run")
    assert result.returncode == 0, result.stderr
    return folder / "run"


def test_rank_by_is_the_only_counted_metric_of_its_task(ranked: Path) -> None:
    records = {record.number: record for record in records_of(ranked)}
    reference, hard = records[0].results, records[1].results
    names = [spec.name for spec in hard["scene"].specs if spec.in_delta_m]
    assert names == ["nll"]
    changes = delta_m_by_task(hard, reference)
    assert changes is not None
    before, after = reference["scene"].metrics["nll"], hard["scene"].metrics["nll"]
    assert changes["scene"] == pytest.approx(100 * (before - after) / before)
    without = {task: replace(result, num_images=None) for task, result in hard.items()}
    assert delta_m(without, reference)[0] == pytest.approx(sum(changes.values()) / 2)


def test_report_shows_the_primary_metric_whatever_ranks(ranked: Path) -> None:
    text = call("leaderboard", ranked, "--format", "csv").stdout
    assert "scene.accuracy" in text.splitlines()[0]
    assert "scene.nll" in text.splitlines()[0]


def test_results_are_of_the_last_epoch_not_of_the_best(ranked: Path) -> None:
    """Choosing the best epoch per metric would add the luck of the noisiest one."""
    num_better = 0
    for record in records_of(ranked):
        history = pd.read_csv(ranked / "trials" / f"{record.number:04d}" / "history.csv")
        for name, value, higher_is_better in metrics_of(record):
            values = history[name]
            assert value == pytest.approx(values.iloc[-1], nan_ok=True)
            best = values.max() if higher_is_better else values.min()
            num_better += abs(best - values.iloc[-1]) > 1e-6
    assert num_better > 0  # else the best epoch is the last one, and the test shows nothing


def metrics_of(record: TrialRecord) -> list[tuple[str, float, bool]]:
    return [
        (f"{task}.{spec.name}", result.value(spec), spec.higher_is_better)
        for task, result in record.results.items()
        for spec in result.specs
    ]


@pytest.mark.parametrize(
    ("rank_by", "message"), [("acuracy", "did you mean 'accuracy'"), ("mAP", "got 'mAP'")]
)
def test_unknown_rank_by_is_refused_with_the_metrics(
    tmp_path: Path, rank_by: str, message: str
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RANKED_RUN.replace("nll", rank_by))
    result = call("check", file)
    assert result.returncode != 0
    assert message in result.stderr
    assert "allowed: accuracy, f1, nll" in result.stderr
    assert "tasks.scene.rank_by" in result.stderr
