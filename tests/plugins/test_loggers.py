"""The built-in loggers pass the contract; the programs' own readers read their files."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mtlsearch_plugins.loggers import (
    CsvLogger,
    MLflowLogger,
    TensorBoardLogger,
    mtlsearch_loggers,
)

from mtlsearch.errors import TrainingError
from mtlsearch.plugin import LoggedTrial, Logger
from mtlsearch.testing import LoggerContract
from mtlsearch.testing._logger_contract import LoggedValues, make_epochs, make_trial


def read_events(folder: Path) -> Any:
    """Return what TensorBoard reads from the event files of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


class TestCsv(LoggerContract):
    logger = CsvLogger

    def read(self, trial: LoggedTrial) -> LoggedValues:
        with (trial.folder / "history.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            name: [(int(row["epoch"]) + 1, float(row[name])) for row in rows] for name in rows[0]
        }


class TestTensorBoard(LoggerContract):
    logger = TensorBoardLogger

    def read(self, trial: LoggedTrial) -> LoggedValues:
        events = read_events(trial.folder)
        return {
            tag.replace("/", ".", 1): [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
        }

    def test_parameters_are_hyperparameters(self, tmp_path: Path) -> None:
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

        logger, trial = self.make(), make_trial(tmp_path, 0)
        logger.trial_started(trial, make_epochs(trial))
        logger.trial_finished("complete")
        contents = read_events(trial.folder).summary_metadata
        start = HParamsPluginData.FromString(
            contents["_hparams_/session_start_info"].plugin_data.content
        ).session_start_info.hparams
        assert start["plan"].string_value == "boxes | scene @2"
        assert start["learning_rate"].number_value == 0.003
        experiment = HParamsPluginData.FromString(
            contents["_hparams_/experiment"].plugin_data.content
        ).experiment
        tags = {info.name.tag for info in experiment.metric_infos}
        assert tags == {"boxes/mAP", "scene/accuracy"}
        assert "_hparams_/session_end_info" in contents


class TestMLflow(LoggerContract):
    logger = MLflowLogger

    @pytest.fixture(autouse=True)
    def _without_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
            monkeypatch.delenv(name, raising=False)

    def read(self, trial: LoggedTrial) -> LoggedValues:
        client, run = self.run_of(trial)
        return {
            name: [(metric.step, metric.value) for metric in client.get_metric_history(run, name)]
            for name in client.get_run(run).data.metrics
        }

    def run_of(self, trial: LoggedTrial, uri: str | None = None, name: str = "") -> Any:
        client = MlflowClient(tracking_uri=uri or f"sqlite:///{trial.run / 'mlflow.db'}")
        experiment = client.get_experiment_by_name(name or trial.run.name)
        assert experiment is not None
        (run_id,) = [
            run.info.run_id
            for run in client.search_runs([experiment.experiment_id])
            if run.info.run_name == f"trials/{trial.number:04d}"
        ]
        return client, run_id

    def test_run_has_parameters_and_status(self, run: Path) -> None:
        logger = self.make()
        for number, status in ((7, "paused"), (8, "complete")):
            trial = make_trial(run, number)
            logger.trial_started(trial, ())
            logger.trial_finished(status)  # type: ignore[arg-type]
        statuses = []
        for number in (7, 8):
            client, run_id = self.run_of(make_trial(run, number))
            data = client.get_run(run_id)
            statuses.append(data.info.status)
            assert data.data.params["plan"] == "boxes | scene @2"
            assert data.data.params["seed"] == "1"
            assert data.data.tags["mtlsearch_trial"] == str(number)
        assert statuses == ["SCHEDULED", "FINISHED"]

    def test_variables_name_store_and_experiment(
        self, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uri = f"sqlite:///{run / 'mlflow.db'}"  # of the other tests: a new one takes seconds
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "leaves")
        trial = make_trial(tmp_path, 0)
        logger = self.make()
        logger.trial_started(trial, make_epochs(trial))
        logger.trial_finished("complete")
        assert not (tmp_path / "mlflow.db").exists()
        client, run_id = self.run_of(trial, uri, "leaves")
        assert len(client.get_metric_history(run_id, "boxes.mAP")) == 3

    def test_search_again_at_the_same_path_is_another_run(
        self, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run / 'mlflow.db'}")
        trial = make_trial(tmp_path / "again", 0)
        for _ in range(2):
            trial.run.mkdir()
            logger = self.make()
            logger.trial_started(trial, make_epochs(trial))
            logger.trial_finished("complete")
            shutil.rmtree(trial.run)
        client = MlflowClient(tracking_uri=f"sqlite:///{run / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("again")
        assert experiment is not None
        assert len(client.search_runs([experiment.experiment_id])) == 2


@pytest.mark.parametrize("logger", [TensorBoardLogger, MLflowLogger])
def test_missing_package_is_named(
    logger: type[Logger[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{logger.__module__}.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=logger.name) as error:
        logger(logger.Settings())
    assert f"mtlsearch[{logger.name}]" in str(error.value)


def test_all_loggers_are_tested() -> None:
    tested = {test.logger for test in (TestCsv, TestTensorBoard, TestMLflow)}
    assert tested == set(mtlsearch_loggers())
