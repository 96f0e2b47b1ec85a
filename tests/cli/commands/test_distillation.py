"""Distillation and attention, from a run file to a prediction."""

from __future__ import annotations

import io
import json
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest
from PIL import Image

from mtlsearch.config import load_run
from mtlsearch.registry import build_registry
from mtlsearch.runs import load_trial, open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory, read_records
from mtlsearch.training import resolve_device
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distillation")]

RUN_FILE = """\
seed: 1
data:
  sources: {kind: scenes, train: 16, val: 8, test: 3, image_size: 32}
  image_size: 32
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation}
backbone: {name: test_resnet, granularity: 3}
train: {epochs: 1, batch_size: 8, learning_rate: 0.003}
search:
  space: tree
  trials: 5
  distillation: [{kind: baseline, alpha: [0.1, 1.0]}, mutual]
  attention: true
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("distillation")
    (folder / "run.yaml").write_text(RUN_FILE)
    result = call("search", folder / "run.yaml", "--out", folder / "run")
    return folder / "run", result


def test_search_trains_and_shows_optional_components(
    run: tuple[Path, CompletedProcess[str]],
) -> None:
    folder, result = run
    assert result.returncode == 0, result.stderr
    table = call("leaderboard", folder, "--format", "csv").stdout
    frame = pd.read_csv(io.StringIO(table), keep_default_na=False)
    frame = frame.set_index("trial").sort_index()
    assert set(frame["state"]) == {"complete"}
    assert list(frame["distillation"][:2]) == ["none", "none"]
    assert not frame["attention"][:2].any()
    shares = frame["plan"] != "independent"
    assert list(frame["attention"][2:]) == list(shares[2:])
    assert any(text.startswith(("baseline 0.", "mutual 1.0")) for text in frame["distillation"])


def test_recorded_cost_is_that_of_the_network(run: tuple[Path, CompletedProcess[str]]) -> None:
    """The search computes the cost; the network measures it."""
    folder, _ = run
    loaded = load_run(folder / "run.yaml")
    session = open_session(
        build_registry().resolve(loaded),
        RunDirectory(folder),
        device=resolve_device("cpu"),
        progress=NullProgress(),
        check=False,
    )
    for record in read_records(folder, loaded.config):
        cost = load_trial(session, record).cost
        assert (record.parameters, record.flops) == (cost.parameters, cost.flops)


def test_trial_with_attention_is_exported(
    run: tuple[Path, CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = run
    records = read_records(folder, load_run(folder / "run.yaml").config)
    gated = next(record for record in records if record.candidate.attention)
    exported = call("export", folder, "--trial", str(gated.number), "--out", tmp_path / "bundle")
    assert exported.returncode == 0, exported.stderr
    about = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert about["candidate"]["attention"] is True
    assert about["architecture"]["parameters"] == gated.parameters
    Image.new("RGB", (40, 30), "green").save(tmp_path / "one.png")
    predictions = tmp_path / "predictions"
    result = call("predict", tmp_path / "bundle", tmp_path / "one.png", "--out", predictions)
    assert result.returncode == 0, result.stderr
    assert any(predictions.iterdir())
