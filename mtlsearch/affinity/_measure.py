"""Measurement of task affinity by two short trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.config import TrainConfig
from mtlsearch.errors import TrainingError
from mtlsearch.plugin import Task

if TYPE_CHECKING:
    import torch

    from mtlsearch.affinity._gradient_probe import GradientProbe
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.training import EpochRecord, Placement, TrainingData

NUM_COMPARISONS = 24
"""Number of steps in which gradients are compared, evenly spread over the training."""

MAX_IMAGES, BATCH_SIZE = 512, 64
"""Number of validation images on which representations are compared, in total and per batch."""

ProgressCallback = Callable[[str, int, int], None]
"""Function that gets a description, the number of completed steps, and the number of steps."""


@dataclass(frozen=True, slots=True, eq=False)
class AffinityMeasurement:
    """Tasks, data and settings of an affinity measurement.

    Attributes:
        tasks: tasks by name.
        label_by_task: the label that each task learns.
        loss_weights: factor of the loss by task.
        data: batches of the training and validation splits.
        config: the ``train`` section of a run file, used for each of the two trainings.
        device: device to train on.
        seed: seed of dropout and of other random layers.
        on_progress: called as ``on_progress(description, completed, total)``.
    """

    tasks: Mapping[str, Task]
    label_by_task: Mapping[str, str]
    loss_weights: Mapping[str, float]
    data: TrainingData
    config: TrainConfig
    device: torch.device
    seed: int
    on_progress: ProgressCallback

    def run(self, hard: MultiTaskNetwork, independent: MultiTaskNetwork) -> Affinity:
        """Train two networks in place and compare the tasks in each unit.

        Args:
            hard: network in which all tasks share all units.
            independent: network in which the tasks share no unit.

        Returns:
            The task affinity.

        Raises:
            TrainingError: a network cannot be trained, or there are too few images.
        """
        from mtlsearch.affinity._similarity import MIN_IMAGES, representation_similarity
        from mtlsearch.training import resolve_placement

        if self.data.size("val") < MIN_IMAGES:
            raise TrainingError(
                f"the val split has {self.data.size('val')} images, comparing "
                f"representations needs {MIN_IMAGES} or more",
                where="data",
                next_step="set data.max_images or data.val_fraction to a larger value",
            )
        probe = self._probe(hard)
        self._train(hard, "training hard", probe)
        self._train(independent, "training independent")
        placement = resolve_placement(self.config.channels_last, self.device)
        total = min(MAX_IMAGES, self.data.size("val"))
        similarity, num_images = representation_similarity(
            independent,
            self._images(placement, total),
            lambda done: self.on_progress("comparing representations", done, total),
        )
        return Affinity(
            tasks=hard.tasks,
            units=tuple(unit.name for unit in hard.units),
            gradients=probe.gradients.mean,
            lookahead=probe.lookahead.mean,
            lookahead_error=probe.lookahead.error,
            unit_lookahead=probe.unit_lookahead.mean,
            representations=np.clip(similarity, -1.0, 1.0),
            steps=probe.lookahead.count,
            images=num_images,
            epochs=self.config.epochs,
        )

    def _probe(self, network: MultiTaskNetwork) -> GradientProbe:
        from mtlsearch.affinity._gradient_probe import GradientProbe, LookaheadStep
        from mtlsearch.training import resolve_precision

        return GradientProbe(
            network,
            self.tasks,
            label_by_task=self.label_by_task,
            precision=resolve_precision(self.config.precision, self.device),
            lookahead=LookaheadStep(self.config.learning_rate, self.config.clip_norm),
            interval=max(1, self._num_steps // NUM_COMPARISONS),
            accumulation_steps=self.config.accumulation_steps,
            seed=self.seed,
        )

    def _train(
        self, network: MultiTaskNetwork, description: str, probe: GradientProbe | None = None
    ) -> None:
        from mtlsearch.training import TrainJob, train

        self.on_progress(description, 0, self._num_steps)
        job = TrainJob(
            network=network,
            tasks=self.tasks,
            data=self.data,
            config=self.config,
            label_by_task=self.label_by_task,
            loss_weights=self.loss_weights,
            learning_rate=self.config.learning_rate,
            device=self.device,
            seed=self.seed,
        )
        train(job, _ProgressHooks(description, self.on_progress), probe)

    @property
    def _num_steps(self) -> int:
        return self.config.epochs * self.data.train_steps(self.config.batch_size)

    def _images(self, placement: Placement, total: int) -> Iterator[torch.Tensor]:
        """Yield the first ``total`` validation images, in batches ``[B, C, H, W]``."""
        remaining = total
        for batch in self.data.eval_batches("val", min(BATCH_SIZE, total)):
            if remaining <= 0:
                return
            yield placement.batch(batch).images[:remaining]
            remaining -= len(batch.images)


@dataclass(frozen=True, slots=True)
class _ProgressHooks:
    """Hooks of a training that report its steps."""

    description: str
    on_progress: ProgressCallback

    def on_start(self, epochs: Sequence[EpochRecord]) -> None:
        pass

    def on_step(self, num_steps: int, total: int, loss: float) -> None:
        self.on_progress(self.description, num_steps, total)

    def on_epoch(self, record: EpochRecord, total: int) -> None:
        pass

    def notify(self, text: str) -> None:
        pass
