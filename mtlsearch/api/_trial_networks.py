"""Networks of a run's trials: loaded, exported and fine-tuned."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.api._fine_tuning import FineTuning
from mtlsearch.api._history import history_frame
from mtlsearch.api._progress import Progress, progress_of
from mtlsearch.api.network import TrainedNetwork
from mtlsearch.config import LoadedRun, Override, load_run
from mtlsearch.errors import ConfigError
from mtlsearch.export import Precision, export_network, export_trial
from mtlsearch.registry import ResolvedRun, build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import (
    Session,
    fine_tune,
    history_columns,
    load_trial,
    open_session,
    reopen_session,
    require_same_labels,
)
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory
from mtlsearch.training import resolve_device

if TYPE_CHECKING:
    from mtlsearch.models import MultiTaskNetwork

SECTIONS = ("data", "train")
"""Sections of the run file that fine-tuning may change."""


@dataclass(frozen=True, slots=True)
class TrialNetworks:
    """Networks of complete trials, whose weights are on disk.

    Attributes:
        loaded: run file of the run.
        run: run directory.
    """

    loaded: LoadedRun
    run: Path

    def load(self, record: TrialRecord, folder: RunDirectory, device: str) -> TrainedNetwork:
        """Return the network of a trial, in eval mode.

        Args:
            record: a complete trial.
            folder: directory with its weights.
            device: name of the device.
        """
        session = self._open(folder, device)
        return _wrap(session, load_trial(session, record).to(session.evaluator.device))

    def export(
        self,
        record: TrialRecord,
        folder: RunDirectory,
        out: Path,
        *,
        precision: Precision,
        max_drop: float,
        decode: bool,
        web: bool,
        web_runtime: Path | None,
    ) -> Path:
        """Write the network of a trial as a bundle.

        Args:
            record: a complete trial.
            folder: directory with its weights.
            out: folder of the bundle.
            precision: precision of the graph.
            max_drop: largest drop of a primary metric in percent.
            decode: whether the graph decodes.
            web: whether to add a page for a browser.
            web_runtime: npm package onnxruntime-web; None to download it.
        """
        return export_trial(
            self._open(folder, "cpu"),
            record,
            out,
            precision=precision,
            max_drop=max_drop,
            decode=decode,
            web=web,
            web_runtime=web_runtime,
        )

    def fine_tune(
        self,
        record: TrialRecord,
        folder: RunDirectory,
        *,
        overrides: list[Override],
        learning_rate: float | None,
        device: str,
        progress: Progress,
    ) -> FineTuning:
        """Train the network of a trial further.

        Args:
            record: a complete trial.
            folder: directory with its weights.
            overrides: values that replace those of the run.
            learning_rate: peak learning rate; None for a tenth of that of the trial.
            device: name of the device.
            progress: argument of the user.
        """
        resolved, changed = self._resolve(), self._resolve_changed(overrides)
        if resolved.config.data.sources != changed.config.data.sources:
            require_same_labels(resolved, changed)
        callbacks = progress_of(progress, has_epochs=True)
        session = open_session(
            changed,
            folder,
            device=resolve_device(device),
            progress=callbacks,
            should_load_weights=False,
        )
        if learning_rate is None:
            rate = record.candidate.learning_rate or resolved.config.train.learning_rate
            learning_rate = rate / 10
        tuned = fine_tune(session, record, learning_rate=learning_rate, progress=callbacks)
        epochs = record.epochs + len(tuned.epochs)
        new_record = replace(record, results=tuned.results, epochs=epochs, note=tuned.note)
        return FineTuning(
            network=_wrap(session, tuned.network),
            metrics_before={task: dict(values) for task, values in tuned.before.items()},
            metrics={task: dict(result.metrics) for task, result in tuned.results.items()},
            history=history_frame(history_columns(tuned.epochs)),
            note=tuned.note,
            _export=partial(export_network, session, new_record, tuned.network),
        )

    def _open(self, folder: RunDirectory, device: str) -> Session:
        """Open the run, and warn if its data changed."""
        return reopen_session(
            self._resolve(),
            folder,
            self.run,
            device=resolve_device(device),
            progress=NullProgress(),
            warning=partial(warnings.warn, stacklevel=7),  # the line of the user
        )

    def _resolve(self) -> ResolvedRun:
        return build_registry(self.loaded.config.plugins).resolve(self.loaded)

    def _resolve_changed(self, overrides: list[Override]) -> ResolvedRun:
        for override in overrides:
            if override.keys[0] not in (*SECTIONS, "seed"):
                raise ConfigError(
                    f"fine-tuning cannot change `{'.'.join(override.keys)}`, on which the weights "
                    "depend",
                    where=override.origin,
                    allowed=[f"keys of {section}" for section in SECTIONS],
                )
        changed = load_run(self.loaded.config, overrides)
        changed.require_paths()
        return build_registry(changed.config.plugins).resolve(changed)


def _wrap(session: Session, network: MultiTaskNetwork) -> TrainedNetwork:
    """Return a network with the preprocessing of the session's images, in eval mode."""
    trained = TrainedNetwork(network, session.evaluator.network_tasks, session.data.preprocessing)
    return trained.eval()
