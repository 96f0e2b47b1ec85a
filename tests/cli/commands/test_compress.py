"""Compression of a trial, from a search to a bundle."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

import mtlsearch
from mtlsearch.bundle import open_bundle
from mtlsearch.config import load_run
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.registry import build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import (
    CompressSettings,
    Session,
    compress,
    load_trial,
    open_session,
    read_verdict,
)
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory, StudyView, read_view
from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]

SETTINGS = CompressSettings("0.7x", epochs=2, teacher="trial")


def view_of(run: Path) -> StudyView:
    return read_view(run, load_run(run / "run.yaml").config)


def session_of(run: Path) -> Session:
    resolved = build_registry().resolve(load_run(run / "run.yaml"))
    return open_session(
        resolved, RunDirectory(run), device=torch.device("cpu"), progress=NullProgress()
    )


def state_of(session: Session, record: TrialRecord) -> dict[str, torch.Tensor]:
    return load_trial(session, record).state_dict()


class StopAfterFirstEpoch(NullProgress):
    """Progress that stops the process at the end of an epoch, as Ctrl-C does."""

    def epoch_finished(self, epoch: int, total: int, metrics: object) -> None:
        self.is_due = True

    def step(self, num_steps: int, loss: float) -> None:
        if getattr(self, "is_due", False):
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Compressed:
    """A run with one compressed trial.

    Attributes:
        run: the run directory.
        before: the study before the compression.
        record: the compressed trial.
        output: what the command printed.
    """

    run: Path
    before: StudyView
    record: TrialRecord
    output: str


@pytest.fixture(scope="module")
def compressed(small_search: SmallSearch, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    run = small_search.copy(tmp_path_factory.mktemp("compress"))
    before = view_of(run)
    result = call("compress", run, "--trial", "1", "--flops", "0.7x", "--epochs", "2")
    assert result.returncode == 0, result.stderr
    (record,) = view_of(run).compressed
    return Compressed(run, before, record, result.stdout)


def frame_of(run: Path, options: Sequence[str] = ()) -> pd.DataFrame:
    result = call("leaderboard", run, "--format", "csv", *options)
    assert result.returncode == 0, result.stderr
    return pd.read_csv(io.StringIO(result.stdout))


def test_a_compressed_trial_names_parent_and_cost(compressed: Compressed) -> None:
    record = compressed.record
    parent = compressed.before.record(1)
    assert record.compression is not None
    assert record.compression.parent == 1
    assert record.number == 1 + max(other.number for other in compressed.before.networks)
    assert record.flops <= 0.7 * parent.flops
    assert record.parameters < parent.parameters
    assert record.results.keys() == parent.results.keys()
    assert all(result.errors for result in record.results.values())
    assert f"trial {record.number}, compressed from trial 1" in compressed.output


@pytest.mark.parametrize(
    ("option", "value"), [("--learning-rate", "-1"), ("--learning-rate", "0"), ("--alpha", "nan")]
)
def test_invalid_numbers_are_refused_before_pruning(
    compressed: Compressed, option: str, value: str
) -> None:
    result = call("compress", compressed.run, "--trial", "1", "--flops", "0.7x", option, value)
    assert result.returncode == 2
    assert option in result.stderr
    assert "pruning" not in result.stderr
    assert len(view_of(compressed.run).compressed) == 1


def test_it_is_a_row_behind_its_parent_outside_the_ranking(compressed: Compressed) -> None:
    frame = frame_of(compressed.run)
    numbers = frame["trial"].tolist()
    assert numbers.index(compressed.record.number) == numbers.index(1) + 1
    row = frame[frame["trial"].eq(compressed.record.number)].iloc[0]
    assert row["parent"] == 1
    assert not row["pareto"]
    assert pd.isna(row["expected_delta_m"])
    assert not pd.isna(row["delta_m"])


def test_verdict_and_surrogate_do_not_contain_it(compressed: Compressed) -> None:
    config = load_run(compressed.run / "run.yaml").config
    after = view_of(compressed.run)
    assert after.records == compressed.before.records
    assert after.num_finished == compressed.before.num_finished
    assert read_verdict(compressed.run, config, after) == read_verdict(
        compressed.run, config, compressed.before
    )


def test_it_is_exported_evaluated_and_predicted(compressed: Compressed, tmp_path: Path) -> None:
    run, number = compressed.run, compressed.record.number
    result = call("export", run, "--trial", number, "--out", tmp_path / "bundle")
    assert result.returncode == 0, result.stderr
    manifest = open_bundle(tmp_path / "bundle").manifest
    assert manifest.parameters == compressed.record.parameters
    assert manifest.extra["flops"] == compressed.record.flops
    result = call("evaluate", run, "--trial", number, "--split", "val", "--resamples", "10")
    assert result.returncode == 0, result.stderr
    opened = mtlsearch.load(run)
    assert opened.trial(number).plan == opened.trial(1).plan
    assert opened.network(number).network.cost.flops == compressed.record.flops


def test_the_same_command_trains_nothing_again(compressed: Compressed) -> None:
    result = call("compress", compressed.run, "--trial", "1", "--flops", "0.7x", "--epochs", "2")
    assert f"compressed before as trial {compressed.record.number}" in result.stderr
    assert len(view_of(compressed.run).compressed) == 1


def test_a_compressed_trial_is_not_compressed_again(compressed: Compressed) -> None:
    result = call(
        "compress", compressed.run, "--trial", compressed.record.number, "--flops", "0.5x"
    )
    assert result.returncode == 1
    assert "set --trial 1" in result.stderr


def test_a_search_goes_on_with_other_numbers(
    small_search: SmallSearch, compressed: Compressed
) -> None:
    result = call("search", small_search.file, "--out", compressed.run, "--trials", "5")
    assert result.returncode == 0, result.stderr
    after = view_of(compressed.run)
    assert after.compressed[0] == compressed.record
    assert after.num_finished == 5
    assert compressed.record.number not in [record.number for record in after.records]


def test_an_interrupted_compression_resumes_bit_for_bit(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    runs = [small_search.copy(tmp_path / name) for name in ("whole", "stopped")]
    networks = []
    for run in runs:
        session, directory = session_of(run), RunDirectory(run)
        record = view_of(run).record(1)
        if run.parent.name == "stopped":
            with pytest.raises(KeyboardInterrupt):
                compress(session, directory, record, SETTINGS, progress=StopAfterFirstEpoch())
            assert not view_of(run).compressed
            assert list(run.glob("compressing/*/trials/0000/checkpoint.pt"))
        made = compress(session, directory, record, SETTINGS, progress=NullProgress())
        networks.append(state_of(session, made))
        assert not list(run.glob("compressing/*"))
    whole, stopped = networks
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


@pytest.mark.parametrize("flops", ["x", "-1x", "0.5 hard", "many"])
def test_an_invalid_number_of_flops_is_refused(small_search: SmallSearch, flops: str) -> None:
    session = session_of(small_search.run)
    with pytest.raises(ConfigError, match="--flops"):
        compress(
            session,
            RunDirectory(small_search.run),
            view_of(small_search.run).record(1),
            CompressSettings(flops, epochs=1),
            progress=NullProgress(),
        )


def test_flops_that_cannot_be_reached_write_nothing(small_search: SmallSearch) -> None:
    session = session_of(small_search.run)
    with pytest.raises(RunError, match="test_resnet"):
        compress(
            session,
            RunDirectory(small_search.run),
            view_of(small_search.run).record(1),
            CompressSettings("0.001x", epochs=1),
            progress=NullProgress(),
        )
    assert not view_of(small_search.run).compressed
    assert not list(small_search.run.glob("compressing/**/*.safetensors"))
