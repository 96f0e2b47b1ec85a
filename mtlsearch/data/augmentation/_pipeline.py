"""Batch transform: crop, flip, rotate, resize, jitter and normalize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlsearch.config import AugmentConfig
from mtlsearch.data._samples import DENSE_FORMS
from mtlsearch.data.augmentation._color import color_jitter
from mtlsearch.data.augmentation._geometry import Resample, transform_boxes
from mtlsearch.data.augmentation._params import (
    AugmentationParams,
    identity_params,
    sample_params,
)
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import Batch, Targets, to_device


@dataclass(frozen=True, slots=True)
class BatchTransform:
    """Augmentation and normalization of whole batches on the network's device.

    Attributes:
        labels: all labels of the run.
        augment: augmentation of training images.
        size: ``(height, width)`` of the network's input.
        mean: mean of each channel (pixels in 0..1) that the backbone expects.
        std: standard deviation of each channel, likewise.
        seed: seed of the run.
        device: device of the computation and of the result.
        has_color: whether the first three channels are red, green and blue. Only these are
            jittered.
    """

    labels: Mapping[str, LabelSpec]
    augment: AugmentConfig
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    device: torch.device
    has_color: bool = True

    def __call__(self, batch: Batch, indices: Sequence[int], epoch: int | None) -> Batch:
        """Augment and normalize a batch.

        Args:
            batch: collated prepared samples on the CPU.
            indices: indices of the images in their split.
            epoch: the epoch, from 0; None for evaluation, without augmentation.

        Returns:
            The batch on the device: images float32, normalized; masks int64.
        """
        height, width = batch.images.shape[2:]
        prepared_size = (height, width)
        if epoch is None:
            params = identity_params(len(indices), prepared_size)
        else:
            params = sample_params(
                self.augment,
                prepared_size,
                self.size,
                seed=self.seed,
                epoch=epoch,
                indices=indices,
            )
        # The number of boxes that remain is a shape, for which a GPU would have to synchronize.
        is_eval = epoch is None
        batch = self._transform_boxes(batch, params, should_keep_all=is_eval).to(self.device)
        params = params.to(self.device)
        resample = Resample(params, prepared_size, self.size)
        images = resample.images(batch.images.float().div_(255))
        if epoch is not None and self.augment.jitter > 0 and self.has_color:
            images = _jitter_colors(images, params)
        targets = {
            name: self._resample_dense(self.labels[name].form, label_targets, resample)
            for name, label_targets in batch.targets.items()
        }
        return Batch(self._normalize(images), targets)

    def _transform_boxes(
        self, batch: Batch, params: AugmentationParams, *, should_keep_all: bool
    ) -> Batch:
        targets = {
            name: Targets(
                label_targets.rows,
                transform_boxes(
                    label_targets.values,
                    label_targets.rows,
                    params,
                    self.size,
                    should_keep_all=should_keep_all,
                ),
            )
            if isinstance(label_targets.values, tuple)
            else label_targets
            for name, label_targets in batch.targets.items()
        }
        return Batch(batch.images, targets)

    @staticmethod
    def _resample_dense(form: Form, targets: Targets, resample: Resample) -> Targets:
        if not isinstance(targets.values, Tensor) or form not in DENSE_FORMS:
            return targets
        values = resample.nearest(targets.values, targets.rows)
        return Targets(targets.rows, values.long() if form is Form.MASK else values)

    def _normalize(self, images: Tensor) -> Tensor:
        mean, std = (
            to_device(torch.tensor(statistic).view(1, -1, 1, 1), images.device)
            for statistic in (self.mean, self.std)
        )
        return images.sub_(mean).div_(std)


def _jitter_colors(images: Tensor, params: AugmentationParams) -> Tensor:
    """Jitter the colors; further channels stay."""
    colors = color_jitter(images[:, :3], params.factors, params.order)
    return colors if images.shape[1] == 3 else torch.cat([colors, images[:, 3:]], dim=1)
