"""Validation of the tasks of a network in use whose units are tuned for new tasks."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtlsearch.config import TrainConfig
from mtlsearch.errors import ConfigError, DataError
from mtlsearch.plugin import DatasetSource, LabelSpec, Task
from mtlsearch.registry import ResolvedRun
from mtlsearch.results import relative_drop

if TYPE_CHECKING:
    import torch

    from mtlsearch.data import DataModule
    from mtlsearch.models import CutBackbone, MultiTaskNetwork

Metrics = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class KeptValidation:
    """The validation images of the tasks of a network in use, from the runs that trained them.

    Attributes:
        resolved: the run file of the extension.
        tasks: the tasks of the network in use, by name.
    """

    resolved: ResolvedRun
    tasks: Mapping[str, Task]
    _data: dict[int, DataModule] = field(default_factory=dict)
    _before: Metrics = field(default_factory=dict)

    def open(self, cut: CutBackbone) -> None:
        """Open the images of all tasks, which are read when they are measured.

        Args:
            cut: the cut backbone, for which images are normalized.

        Raises:
            ConfigError: a folder does not exist, or the run file lacks the images of a task.
            DataError: the images lack the label of a task, or it has other classes.
        """
        for task in self.tasks:
            self._data_of(task, cut)

    def drops(
        self,
        network: MultiTaskNetwork,
        used: MultiTaskNetwork,
        tasks: Sequence[str],
        cut: CutBackbone,
        config: TrainConfig,
        device: torch.device,
    ) -> tuple[dict[str, float], Metrics]:
        """Compare the metrics of some tasks with those of the network in use, on the same images.

        Args:
            network: the extended network, on ``device``.
            used: the network in use, which is measured once per process.
            tasks: the tasks to compare.
            cut: the cut backbone.
            config: the resolved ``train`` section, for batch size and precision.
            device: device of the evaluation.

        Returns:
            How much the primary metric of each task is worse, in percent of its value, and all
            metrics of the extended network, by task.
        """
        self.measure_before(used, tasks, cut, config, device)
        after = self._measure(network, tasks, cut, config, device)
        drops = {}
        for name in tasks:
            spec = next(spec for spec in self.tasks[name].metrics if spec.primary)
            before, value = self._before[name][spec.name], after[name][spec.name]
            drop = relative_drop(before, value, higher_is_better=spec.higher_is_better)
            drops[name] = math.inf if math.isnan(drop) else drop
        return drops, after

    def measure_before(
        self,
        used: MultiTaskNetwork,
        tasks: Sequence[str],
        cut: CutBackbone,
        config: TrainConfig,
        device: torch.device,
    ) -> None:
        """Measure the network in use, unless it is measured; images that are damaged are found.

        Args:
            used: the network in use.
            tasks: the tasks to measure.
            cut: the cut backbone.
            config: the resolved ``train`` section.
            device: device of the evaluation.

        Raises:
            DataError: an image cannot be read, or a task has no labeled validation image.
        """
        missing = [name for name in tasks if name not in self._before]
        if not missing:
            return
        metrics = self._measure(copy.deepcopy(used).to(device), missing, cut, config, device)
        for name, values in metrics.items():
            primary = next(spec.name for spec in self.tasks[name].metrics if spec.primary)
            if math.isnan(values[primary]):
                raise DataError(
                    f"no validation image has a label of task {name!r}, so that a drop of its "
                    f"{primary} cannot be limited",
                    where="extends.images",
                    next_step="restore the images of its run, or extend without --unfreeze",
                )
        self._before.update(metrics)

    def _measure(
        self,
        network: MultiTaskNetwork,
        tasks: Sequence[str],
        cut: CutBackbone,
        config: TrainConfig,
        device: torch.device,
    ) -> Metrics:
        from mtlsearch.training import evaluate, resolve_precision

        metrics: Metrics = {}
        for name in tasks:
            batches = self._data_of(name, cut).eval_batches("val", config.batch_size)
            metrics |= evaluate(
                network,
                {name: self.tasks[name]},
                batches,
                {name: self._label_of(name)},
                device,
                resolve_precision(config.precision, device),
                config.channels_last,
            )
        return metrics

    def _label_of(self, task: str) -> str:
        extends = self.resolved.config.extends
        assert extends is not None  # it names the task
        return extends.tasks[task].label or task

    def _data_of(self, task: str, cut: CutBackbone) -> DataModule:
        from mtlsearch.data import open_data

        extends = self.resolved.config.extends
        assert extends is not None
        index = next((i for i, item in enumerate(extends.images) if task in item.tasks), None)
        if index is None:
            raise ConfigError(
                f"the run file does not name the images on which task {task!r} was validated, so "
                "that a drop of its metric cannot be measured",
                where="extends.images",
                next_step="extend without --unfreeze, or extend the run that trained the task",
            )
        if index not in self._data:
            run = self.resolved.with_kept_images(index)
            self._data[index] = open_data(
                _open_sources(run, index),
                run.config.data,
                mean=cut.mean,
                std=cut.std,
                seed=run.config.seed,
            )
        data = self._data[index]
        _require_label(data.labels.get(self._label_of(task)), self.tasks[task])
        return data


def _open_sources(run: ResolvedRun, index: int) -> list[DatasetSource[Any]]:
    """Open the sources of an entry of ``extends.images``; an error names its own keys."""
    try:
        return run.open_sources()
    except (ConfigError, DataError) as error:
        kind = ConfigError if isinstance(error, ConfigError) else DataError
        raise kind(
            "the images on which tasks of the network in use were validated cannot be opened: "
            f"{error.what}",
            where=f"extends.images.{index}.data",
            next_step="restore them, set `root` in this section of the `run.yaml` in the run "
            "directory to their new folder, or extend without --unfreeze",
        ) from error


def _require_label(label: LabelSpec | None, task: Task) -> None:
    """Check that the images have the label that a task has learned."""
    learned = task.label
    if label is None or (label.form, label.classes) != (learned.form, learned.classes):
        present = "have no such label" if label is None else f"have a {label.describe()}"
        raise DataError(
            f"the images on which task {task.name!r} was validated {present}, and the network in "
            f"use has learned a {learned.describe()}",
            where="extends.images",
            next_step="restore the images and labels of its run, or extend without --unfreeze",
        )
