"""Logger ``mlflow``."""

from __future__ import annotations

import logging
import math
import os
import re
import time
import uuid
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from pydantic import Field

from mtlsearch.plugin import (
    LoggedEpoch,
    LoggedTrial,
    Logger,
    LogStatus,
    Settings,
    TrainingError,
    atomic_write,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

STATUS = {
    "complete": "FINISHED",
    "paused": "SCHEDULED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}
"""Status of a run of MLflow by that of a training."""

TRIES = "2"
"""Number of tries of a request, so that a search does not wait for minutes at each epoch."""


class MLflowSettings(Settings):
    """Settings of ``mlflow``."""

    tracking_uri: str | None = Field(
        None,
        description="URI of the tracking server or store; null: that of the environment variable "
        "MLFLOW_TRACKING_URI, otherwise mlflow.db in the run directory",
    )
    experiment: str | None = Field(
        None,
        description="name of the experiment; null: that of the environment variable "
        "MLFLOW_EXPERIMENT_NAME, otherwise the name of the run directory",
    )


class MLflowLogger(Logger[MLflowSettings]):
    """Logs each trial as a run of MLflow, by default to ``mlflow.db`` in the run directory.

    ``mlflow ui --backend-store-uri sqlite:///RUN/mlflow.db`` shows it. A run has the parameters
    of its trial, such as the plan, and the folder of the trial as its name. When a trial
    resumes, its run continues. If the run has epochs after those of the trial, which was killed,
    another run replaces it: MLflow cannot replace values.

    Args:
        settings: where to log.

    Raises:
        TrainingError: MLflow is not installed.
    """

    name = "mlflow"
    summary = "runs of MLflow, in a SQLite file or on a tracking server"
    Settings = MLflowSettings

    def __init__(self, settings: MLflowSettings) -> None:
        super().__init__(settings)
        if find_spec("mlflow") is None:
            raise TrainingError(
                "logger 'mlflow' needs the package mlflow, which is not installed",
                where="train.log",
                next_step="run `pip install 'mtlsearch[mlflow]'`, or remove mlflow",
            )
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", TRIES)
        self._client: MlflowClient | None = None

    def trial_started(self, trial: LoggedTrial, epochs: Sequence[LoggedEpoch]) -> None:
        """See :meth:`mtlsearch.plugin.Logger.trial_started`."""
        from mlflow.entities import Param

        if self._client is None:
            self._client, self._experiment = self._open(trial)
        name = trial.folder.relative_to(trial.run).as_posix()
        training = f"{_run_id(trial.run)}/{name}"
        runs = self._client.search_runs(
            [self._experiment], f"tags.mtlsearch_training = '{training}'"
        )
        self._logged: set[int] = set()
        if runs:
            self._run = runs[0].info.run_id
            history = self._client.get_metric_history(self._run, "seconds")
            self._logged = {metric.step for metric in history}
        if runs and self._logged <= {epoch.epoch for epoch in epochs}:
            self._client.update_run(self._run, status="RUNNING")
        else:
            if runs:
                self._client.delete_run(self._run)
                self._logged = set()
            run = self._client.create_run(
                self._experiment,
                run_name=name,
                tags={
                    "mtlsearch_training": training,
                    "mtlsearch_run": str(trial.run),
                    "mtlsearch_trial": str(trial.number),
                    "mtlsearch_plan": str(trial.params["plan"]),
                },
            )
            self._run = run.info.run_id
            params = [Param(_key(name), str(value)) for name, value in trial.params.items()]
            self._client.log_batch(self._run, params=params)
        for epoch in epochs:
            self._add(epoch)

    def epoch_finished(self, epoch: LoggedEpoch) -> None:
        """See :meth:`mtlsearch.plugin.Logger.epoch_finished`."""
        self._add(epoch)

    def trial_finished(self, status: LogStatus) -> None:
        """See :meth:`mtlsearch.plugin.Logger.trial_finished`."""
        if self._client is not None:
            self._client.set_terminated(self._run, STATUS[status])

    def _open(self, trial: LoggedTrial) -> tuple[MlflowClient, str]:
        """Return the client and the id of the experiment, which is created if necessary."""
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        local = f"sqlite:///{trial.run / 'mlflow.db'}"
        uri = self.settings.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or local
        name = self.settings.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME")
        name = name or trial.run.name
        logging.getLogger("mlflow.store").setLevel(logging.WARNING)
        # Workers of one run directory would create the tables of a new file at the same time.
        with FileLock(trial.run / ".mlflow.lock"), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of SQLAlchemy, about MLflow
            client = MlflowClient(tracking_uri=uri)
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                artifacts = (trial.run / "mlflow-artifacts").as_uri() if uri == local else None
                try:
                    return client, client.create_experiment(name, artifact_location=artifacts)
                except MlflowException:  # another host was first
                    experiment = client.get_experiment_by_name(name)
                    if experiment is None:
                        raise
            return client, experiment.experiment_id

    def _add(self, epoch: LoggedEpoch) -> None:
        from mlflow.entities import Metric

        if self._client is None or epoch.epoch in self._logged:
            return
        now = math.floor(time.time() * 1000)
        values = {**epoch.values, "seconds": epoch.seconds}
        metrics = [Metric(_key(name), value, now, epoch.epoch) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)
        self._logged.add(epoch.epoch)


def _run_id(run: Path) -> str:
    """Return the id of a run directory; another one with the same path has another id."""
    file = run / ".mlflow.id"
    with FileLock(run / ".mlflow.lock"):
        if not file.is_file():
            with atomic_write(file) as temporary:
                temporary.write_text(uuid.uuid4().hex, encoding="utf-8")
        return file.read_text(encoding="utf-8")


def _key(name: str) -> str:
    """Return a name without the characters that MLflow refuses."""
    return re.sub(r"[^\w/.\- ]", "_", name)
