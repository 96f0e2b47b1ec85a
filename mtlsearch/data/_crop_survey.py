"""Survey of random crops: the fraction of the training boxes of each class that they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtlsearch.data._samples import PreparedSample
from mtlsearch.data.augmentation import (
    AugmentationParams,
    BatchTransform,
    identity_params,
    sample_params,
    transform_boxes,
)
from mtlsearch.labels import Form
from mtlsearch.plugin import BoxTargets

MAX_IMAGES = 2000
"""Number of training images, evenly spaced, whose crops are sampled."""

NUM_EPOCHS = 8
"""Number of crops per image: those of the first epochs."""


def survey_crops(
    samples: Mapping[int, PreparedSample], transform: BatchTransform
) -> dict[str, dict[str, float]]:
    """Return the fraction of boxes that the crops of the first epochs keep, by label and class.

    Args:
        samples: some training samples by their index in the split.
        transform: the transform of the run.

    Returns:
        Kept boxes divided by boxes that are visible without a crop; a class without visible boxes
        has no entry. Empty without boxes.
    """
    kept_by_label = {}
    for label, spec in transform.labels.items():
        if spec.form is not Form.BOXES:
            continue
        boxes = {
            index: value
            for index, sample in samples.items()
            if isinstance(value := sample.labels.get(label), BoxTargets)
        }
        if boxes:
            height, width = next(iter(samples.values())).image.shape[-2:]
            kept = _kept(boxes, transform, (height, width), len(spec.classes))
            kept_by_label[label] = {
                name: share for name, share in zip(spec.classes, kept, strict=True) if share >= 0
            }
    return kept_by_label


def _kept(
    boxes: Mapping[int, BoxTargets],
    transform: BatchTransform,
    prepared_size: tuple[int, int],
    num_classes: int,
) -> list[float]:
    """Return the kept fraction of each class; -1 without visible boxes."""
    values = tuple(boxes.values())

    def count(params: AugmentationParams) -> Tensor:
        rows = torch.arange(len(values))
        result = transform_boxes(values, rows, params, transform.size)
        classes = torch.cat([item.classes[~item.crowd] for item in result])
        return torch.bincount(classes, minlength=num_classes)

    visible = count(identity_params(len(values), prepared_size))
    kept = torch.zeros_like(visible)
    for epoch in range(NUM_EPOCHS):
        kept += count(
            sample_params(
                transform.augment,
                prepared_size,
                transform.size,
                seed=transform.seed,
                epoch=epoch,
                indices=[*boxes],
            )
        )
    shares = kept / (NUM_EPOCHS * visible).clamp(min=1)
    return shares.where(visible > 0, torch.tensor(-1.0)).tolist()


def surveyed_indices(size: int) -> Sequence[int]:
    """Return the indices of the images whose crops are sampled.

    Args:
        size: number of images in the split.

    Returns:
        All indices, or 2000 that are evenly spaced.
    """
    return range(0, size, max(1, -(-size // MAX_IMAGES)))
