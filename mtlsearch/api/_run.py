"""Run: the object of a run directory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from mtlsearch.api._overrides import overrides_of
from mtlsearch.api._terms import in_python_terms
from mtlsearch.api._trial import Trial, trial_of
from mtlsearch.errors import RunError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mtlsearch.api._fine_tuning import FineTuning
    from mtlsearch.api._progress import Progress
    from mtlsearch.api._trial_networks import TrialNetworks
    from mtlsearch.api.network import TrainedNetwork
    from mtlsearch.bundle import ImageLike
    from mtlsearch.config import LoadedRun, RunConfig
    from mtlsearch.export import Precision
    from mtlsearch.prediction import Prediction
    from mtlsearch.results import TrialRecord
    from mtlsearch.search import Verdict
    from mtlsearch.study import RunDirectory, StudyView

TrialName = Literal["best"] | int
TrialNames = TrialName | Sequence[TrialName]
"""A trial number, or ``best``: the trial that the verdict recommends."""


class Run:
    """The run directory of a search: its trials, its networks and their predictions.

    :func:`mtlsearch.load` and :func:`mtlsearch.search` return it. Tables and trials are read from
    the directory at each call, so that a running search can be watched. A notebook shows the
    verdict and the leaderboard.

    Args:
        path: the run directory.
        loaded: its run file.

    Attributes:
        path: the run directory.
        config: the run file with all defaults filled in.
    """

    def __init__(self, path: Path, loaded: LoadedRun) -> None:
        self.path = path
        self.config: RunConfig = loaded.config
        self._loaded = loaded
        self._predicting: tuple[tuple[int, Path], TrainedNetwork] | None = None

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @in_python_terms
    def leaderboard(
        self,
        *,
        sort: str | None = None,
        top: int | None = None,
        all_metrics: bool = False,
        errors: bool = False,
    ) -> pd.DataFrame:
        """Return the leaderboard: one row per trial, the best first.

        Args:
            sort: column to sort by; None for the expected Δm.
            top: maximum number of rows; None for all.
            all_metrics: one column per metric, not only the primary metric of each task.
            errors: whether standard errors over validation images are columns.

        Returns:
            The columns of ``mtlsearch leaderboard --format csv``.

        Raises:
            ConfigError: the column to sort by does not exist, or ``top`` is below 1.
            RunError: the storage cannot be opened.
        """
        from mtlsearch.runs import rank_trials

        return rank_trials(
            self.path,
            self.config,
            self._view(),
            self.verdict,
            sort=sort,
            top=top,
            all_metrics=all_metrics,
            with_errors=errors,
        )

    @property
    def trials(self) -> Mapping[int, Trial]:
        """The trials by number."""
        from mtlsearch.results import deltas
        from mtlsearch.study import RunDirectory

        records, verdict, folder = self._records(), self.verdict, RunDirectory(self.path)
        delta_by_number = deltas(records)
        expected = {} if verdict is None else verdict.expected_by_number
        return {
            record.number: trial_of(
                record,
                delta_m=delta_by_number.get(record.number),
                expected=expected.get(record.number),
                default_backbone=self.config.backbone.names[0],
                history=folder.history(record.number),
            )
            for record in records
        }

    @in_python_terms
    def trial(self, trial: TrialName = "best") -> Trial:
        """Return one trial.

        Args:
            trial: trial number, or ``best``: the complete trial that the verdict recommends.

        Returns:
            The trial.

        Raises:
            RunError: the trial does not exist, or no trial is complete.
        """
        return self.trials[self._number(trial)]

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, of which ``sentences`` are the text; None as long as trials allow none."""
        from mtlsearch.runs import read_verdict

        return read_verdict(self.path, self.config)

    @in_python_terms
    def plot_front(self) -> Figure:
        """Draw Δm against FLOPs, one point per trial, with the Pareto front.

        Returns:
            A matplotlib figure, which a notebook shows and ``savefig`` writes.

        Raises:
            RunError: no trial has a Δm yet.
        """
        from mtlsearch.report import front_figure

        return front_figure(self.leaderboard())

    @in_python_terms
    def plot_curves(self, trials: TrialNames | None = None, *, all_metrics: bool = False) -> Figure:
        """Draw the training loss and the primary metric of each task by epoch.

        Args:
            trials: a trial number or ``best``, or several of them; all trials by default.
            all_metrics: draw every metric, not only the primary one of each task.

        Returns:
            A matplotlib figure, which a notebook shows and ``savefig`` writes.

        Raises:
            RunError: a trial does not exist, or none has finished an epoch.
        """
        from mtlsearch.report import curve_figure, curve_panels
        from mtlsearch.runs import read_history
        from mtlsearch.study import RunDirectory

        records, folder = self._records(), RunDirectory(self.path)
        chosen = [record.number for record in records]
        if trials is not None:
            chosen = self._numbers(trials)
        histories = {number: read_history(folder.history(number)) for number in chosen}
        verdict = self.verdict
        roles: dict[int, str] = {
            record.number: record.baseline for record in records if record.baseline is not None
        }
        if verdict is not None:
            roles.setdefault(verdict.winner, "best")
        panels = curve_panels(records, histories, roles)
        return curve_figure([panel for panel in panels if panel.is_primary or all_metrics])

    @in_python_terms
    def plot_plans(self, trials: TrialNames = "best") -> Figure:
        """Draw the sharing plans of trials side by side; a task has one color in all of them.

        Args:
            trials: a trial number or ``best``, or several of them.

        Returns:
            A matplotlib figure, which a notebook shows and ``savefig`` writes.

        Raises:
            RunError: a trial does not exist, or the list is empty.
        """
        from mtlsearch.report import sharing_figure

        by_number = self.trials
        plans = [by_number[number].plan for number in self._numbers(trials)]
        return sharing_figure({plan.title: plan.sharing for plan in plans})

    @in_python_terms
    def network(
        self, trial: TrialName = "best", *, retrained: str | None = None, device: str = "cpu"
    ) -> TrainedNetwork:
        """Load the trained network of a trial.

        Opens the data of the run, whose labels determine the heads, and reads no image.

        Args:
            trial: trial number, or ``best``.
            retrained: name of a network of ``mtlsearch train-longer`` instead of a trial.
            device: ``auto`` (a GPU if available), ``cpu``, ``cuda`` or ``cuda:1``.

        Returns:
            The network in eval mode, a ``torch.nn.Module``; each call returns a new one.

        Raises:
            RunError: the trial is not complete, or its weights are not on disk.
            ConfigError: the data of the run does not exist.
            TrainingError: the device does not exist.
        """
        record, folder = self._select(trial, retrained)
        return self._networks().load(record, folder, device)

    @overload
    def predict(  # type: ignore[overload-overlap]  # a path is a sequence of characters
        self,
        images: ImageLike,
        trial: TrialName = "best",
        *,
        retrained: str | None = None,
        batch_size: int = 8,
    ) -> dict[str, Prediction]: ...

    @overload
    def predict(
        self,
        images: Sequence[ImageLike],
        trial: TrialName = "best",
        *,
        retrained: str | None = None,
        batch_size: int = 8,
    ) -> list[dict[str, Prediction]]: ...

    @in_python_terms
    def predict(
        self,
        images: ImageLike | Sequence[ImageLike],
        trial: TrialName = "best",
        *,
        retrained: str | None = None,
        batch_size: int = 8,
    ) -> dict[str, Prediction] | list[dict[str, Prediction]]:
        """Return the predictions of a trial's network, those of its exported bundle.

        The network of the last call is kept, so that further calls for it are fast.

        Args:
            images: an image or a list of images of any size, see
                :meth:`mtlsearch.TrainedNetwork.predict`: paths, Pillow images, or arrays ``[H, W]``
                or ``[H, W, C]`` such as RGB from 0 to 255 in uint8.
            trial: trial number, or ``best``.
            retrained: name of a network of ``mtlsearch train-longer`` instead of a trial.
            batch_size: number of images per forward pass.

        Returns:
            Prediction by task for one image; for a list, one such dictionary per image.

        Raises:
            DataError: an image cannot be read or does not fit the pixel format of the run.
            RunError: the trial is not complete, or its weights are not on disk.
        """
        record, folder = self._select(trial, retrained)
        key = (record.number, folder.path)
        if self._predicting is None or self._predicting[0] != key:
            self._predicting = (key, self._networks().load(record, folder, "cpu"))
        network = self._predicting[1]
        return network.predict(images, batch_size=batch_size)

    @in_python_terms
    def export(
        self,
        out: str | os.PathLike[str],
        trial: TrialName = "best",
        *,
        retrained: str | None = None,
        precision: Precision = "fp32",
        max_drop: float = 2.0,
        decode: bool = False,
        web: bool = False,
        web_runtime: str | os.PathLike[str] | None = None,
    ) -> Path:
        """Write the network of a trial as a bundle, as ``mtlsearch export`` does.

        Args:
            out: folder of the bundle; an existing bundle is replaced.
            trial: trial number, or ``best``.
            retrained: name of a network of ``mtlsearch train-longer`` instead of a trial.
            precision: precision of ``model.onnx``; the other formats stay in float32.
            max_drop: largest drop of a primary metric on the validation split by a lower
                precision, in percent of its value.
            decode: whether ``model.onnx`` returns final predictions: thresholds, non-maximum
                suppression, pixels of the image.
            web: whether to add a page that runs the network in a browser, and to decode.
            web_runtime: npm package onnxruntime-web for the page, as a file or folder; None to
                download it.

        Returns:
            The folder, which :func:`mtlsearch.open_bundle` opens.

        Raises:
            RunError: the trial is not complete, or its weights are not on disk.
            ExportError: a format cannot be written or differs, or ``out`` is not a bundle.
        """
        record, folder = self._select(trial, retrained)
        return self._networks().export(
            record,
            folder,
            Path(out),
            precision=precision,
            max_drop=max_drop,
            decode=decode,
            web=web or web_runtime is not None,
            web_runtime=None if web_runtime is None else Path(web_runtime),
        )

    @in_python_terms
    def fine_tune(
        self,
        trial: TrialName = "best",
        *,
        epochs: int,
        learning_rate: float | None = None,
        seed: int | None = None,
        overrides: Mapping[str, Any] | None = None,
        device: str = "auto",
        progress: Progress = False,
    ) -> FineTuning:
        """Train the network of a trial further, from its trained weights.

        Without ``overrides`` it trains on the images of the run. Other images are set by
        ``{"data.sources": {...}}``; their labels need the same names and classes. Writes no file,
        so that an interrupted training starts again.

        Args:
            trial: trial number, or ``best``.
            epochs: number of epochs.
            learning_rate: peak learning rate; None for a tenth of that of the trial.
            seed: seed of order and augmentation; None for that of the run.
            overrides: values of the sections ``data`` and ``train`` that replace those of the run,
                by key with dots.
            device: ``auto`` (a GPU if available), ``cpu``, ``cuda`` or ``cuda:1``.
            progress: True prints a line per epoch, a function gets these lines.

        Returns:
            The network with its metrics on the validation images before and after.

        Raises:
            ConfigError: an override is invalid, or the classes of other images differ.
            DataError: images or labels have problems.
            RunError: the trial is not complete, or its weights are not on disk or do not fit.
            TrainingError: the network cannot be trained.
        """
        record, folder = self._select(trial)
        return self._networks().fine_tune(
            record,
            folder,
            overrides=overrides_of(overrides, epochs=epochs, seed=seed),
            learning_rate=learning_rate,
            device=device,
            progress=progress,
        )

    def _repr_markdown_(self) -> str:
        from mtlsearch.report import render

        verdict = self.verdict
        sentences = [] if verdict is None else [" ".join(verdict.sentences)]
        return "\n\n".join([*sentences, render(self.leaderboard(), "markdown")])

    def _records(self) -> tuple[TrialRecord, ...]:
        """Return the trials and the compressed trials by number."""
        return self._view().networks

    def _view(self) -> StudyView:
        from mtlsearch.study import read_view

        return read_view(self.path, self.config)

    def _numbers(self, trials: TrialNames) -> list[int]:
        """Return the numbers of one or several trials.

        Raises:
            RunError: a trial does not exist, or the list is empty.
        """
        names = [trials] if isinstance(trials, str | int) else list(trials)
        if not names:
            raise RunError("the list of trials is empty", where=str(self.path))
        return [self._number(trial) for trial in names]

    def _number(self, trial: TrialName) -> int:
        """Return the number of a trial in any state.

        Raises:
            RunError: the trial does not exist, or no trial is complete.
        """
        if trial == "best":
            return self._select("best")[0].number
        numbers = [record.number for record in self._records()]
        if trial not in numbers:
            raise RunError(
                f"trial {trial!r} does not exist",
                where=str(self.path),
                allowed=["best", *map(str, numbers)],
            )
        return trial

    def _select(
        self, trial: TrialName, retrained: str | None = None
    ) -> tuple[TrialRecord, RunDirectory]:
        from mtlsearch.runs import select_network

        return select_network(self.path, self.config, trial, retrained, lambda _: None)

    def _networks(self) -> TrialNetworks:
        from mtlsearch.api._trial_networks import TrialNetworks

        return TrialNetworks(self._loaded, self.path)
