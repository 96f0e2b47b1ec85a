"""From kept samples to what a network sees: crop, flip, resize, jitter, normalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlsearch.config import AugmentConfig
from mtlsearch.data.augmentation._boxes import transform_boxes
from mtlsearch.data.augmentation._color import color_jitter
from mtlsearch.data.augmentation._params import AugmentationParams, no_changes, sample_params
from mtlsearch.data.augmentation._resample import Resample
from mtlsearch.data.cache import PLANES
from mtlsearch.labels import Form, LabelSpec, send
from mtlsearch.plugin import Batch, Targets


@dataclass(frozen=True, slots=True)
class BatchTransform:
    """Finishes whole batches, on the device where the network is.

    Args:
        labels: all labels of the run.
        augment: how training images change.
        size: ``(height, width)`` of the network's input.
        mean: what the backbone expects subtracted from images in 0..1, a number a channel.
        std: what it expects to be divided by, after that.
        seed: seed of the run.
        device: where pixels are worked on and the batch ends up.
    """

    labels: Mapping[str, LabelSpec]
    augment: AugmentConfig
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    device: torch.device

    def __call__(self, batch: Batch, indices: Sequence[int], epoch: int | None) -> Batch:
        """The batch as an epoch sees it.

        Args:
            batch: kept samples, put together on the CPU.
            indices: the images' indices in their split.
            epoch: which epoch; None for evaluation, where nothing is random.
        """
        height, width = batch.images.shape[2:]
        kept = (height, width)
        if epoch is None:
            changes = no_changes(len(indices), kept)
        else:
            changes = sample_params(
                self.augment, kept, self.size, seed=self.seed, epoch=epoch, indices=indices
            )
        # Which boxes remain decides on shapes, which a GPU would have to be waited for.
        batch = self._with_boxes(batch, changes).to(self.device)
        changes = changes.to(self.device)
        resample = Resample(changes, kept, self.size)
        images = resample.images(batch.images.float().div_(255))
        if epoch is not None and self.augment.jitter > 0:
            images = color_jitter(images, changes.factors, changes.order)
        targets = {
            name: self._plane(self.labels[name].form, one, resample)
            for name, one in batch.targets.items()
        }
        return Batch(self._normalised(images), targets)

    def _with_boxes(self, batch: Batch, changes: AugmentationParams) -> Batch:
        targets = {
            name: Targets(one.rows, transform_boxes(one.values, one.rows, changes, self.size))
            if isinstance(one.values, tuple)
            else one
            for name, one in batch.targets.items()
        }
        return Batch(batch.images, targets)

    @staticmethod
    def _plane(form: Form, one: Targets, resample: Resample) -> Targets:
        if not isinstance(one.values, Tensor) or form not in PLANES:
            return one
        moved = resample.planes(one.values, one.rows)
        return Targets(one.rows, moved.long() if form is Form.MASK else moved)

    def _normalised(self, images: Tensor) -> Tensor:
        mean, std = (
            send(torch.tensor(part).view(1, -1, 1, 1), images.device)
            for part in (self.mean, self.std)
        )
        return images.sub_(mean).div_(std)
