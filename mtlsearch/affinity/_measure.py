"""Affinity measured by two short trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

LOOKS = 24
"""How often gradients are compared, evenly spread over the training."""

IMAGES, AT_ONCE = 512, 64
"""Validation images that representations are compared on, and how many in a batch."""

Stage = Callable[[str, int, int], None]
"""Is told what is being done, and how much of how much is."""


@dataclass(frozen=True, slots=True, eq=False)
class AffinityMeasurement:
    """What is measured, and how both networks are trained for it.

    Attributes:
        tasks: the tasks by name.
        labels_of: the label that each task learns.
        loss_weights: a weight a task.
        data: the images.
        config: the budget of each training.
        device: where to train.
        seed: seed of dropout and the like.
        stage: is told how far it is.
    """

    tasks: Mapping[str, Task]
    labels_of: Mapping[str, str]
    loss_weights: Mapping[str, float]
    data: TrainingData
    config: TrainConfig
    device: torch.device
    seed: int
    stage: Stage

    def run(self, hard: MultiTaskNetwork, independent: MultiTaskNetwork) -> Affinity:
        """Train both networks in place and compare the tasks in each of their units.

        Args:
            hard: the network in which all tasks share all units.
            independent: the one in which they share none.

        Raises:
            TrainingError: one of them cannot be trained, or there are too few images.
        """
        from mtlsearch.affinity._similarity import FEWEST, representation_similarity
        from mtlsearch.training import resolve_placement

        if self.data.size("val") < FEWEST:
            raise TrainingError(
                f"the val split has {self.data.size('val')} images, comparing "
                f"representations takes {FEWEST} or more",
                where="data",
                next_step="take more images (data.max_images, data.val_fraction)",
            )
        probe = self._probe(hard)
        self._train(hard, "training hard", probe)
        self._train(independent, "training independent")
        placement = resolve_placement(self.config.channels_last, self.device)
        total = min(IMAGES, self.data.size("val"))
        alike, images = representation_similarity(
            independent,
            self._images(placement, total),
            lambda done: self.stage("comparing representations", done, total),
        )
        return Affinity(
            tasks=hard.tasks,
            units=tuple(unit.name for unit in hard.units),
            gradients=probe.gradients.mean,
            lookahead=probe.lookahead.mean,
            lookahead_error=probe.lookahead.error,
            unit_lookahead=probe.unit_lookahead.mean,
            representations=np.clip(alike, -1.0, 1.0),
            steps=probe.lookahead.count,
            images=images,
            epochs=self.config.epochs,
        )

    def _probe(self, network: MultiTaskNetwork) -> GradientProbe:
        from mtlsearch.affinity._gradient_probe import GradientProbe, LookaheadStep
        from mtlsearch.training import resolve_precision

        return GradientProbe(
            network,
            self.tasks,
            labels_of=self.labels_of,
            precision=resolve_precision(self.config.precision, self.device),
            step=LookaheadStep(self.config.learning_rate, self.config.clip_norm),
            every=max(1, self._steps // LOOKS),
            parts=self.config.accumulation_steps,
            seed=self.seed,
        )

    def _train(
        self, network: MultiTaskNetwork, what: str, probe: GradientProbe | None = None
    ) -> None:
        from mtlsearch.training import train

        self.stage(what, 0, self._steps)
        train(
            network,
            self.tasks,
            self.data,
            self.config,
            labels_of=self.labels_of,
            loss_weights=self.loss_weights,
            learning_rate=self.config.learning_rate,
            device=self.device,
            seed=self.seed,
            progress=_Relay(what, self.stage),
            probe=probe,
        )

    @property
    def _steps(self) -> int:
        return self.config.epochs * self.data.train_steps(self.config.batch_size)

    def _images(self, placement: Placement, total: int) -> Iterator[torch.Tensor]:
        left = total
        for batch in self.data.eval_batches("val", min(AT_ONCE, total)):
            if left <= 0:
                return
            yield placement.batch(batch).images[:left]
            left -= len(batch.images)


@dataclass(frozen=True, slots=True)
class _Relay:
    """Passes a training's steps on."""

    what: str
    stage: Stage

    def step(self, done: int, total: int, loss: float) -> None:
        self.stage(self.what, done, total)

    def epoch(self, record: EpochRecord, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass
