"""Boxes of a batch, transformed together with their images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlsearch.data.augmentation._params import AugmentationParams
from mtlsearch.plugin import BoxTargets

MIN_SIDE = 1.0
"""Minimum width and height of a box after clipping, in pixels; smaller boxes are removed."""

MIN_VISIBLE = 0.25
"""Minimum fraction of a box's area inside the crop; boxes below it are removed."""


def transform_boxes(
    boxes: Sequence[BoxTargets], rows: Tensor, params: AugmentationParams, size: tuple[int, int]
) -> tuple[BoxTargets, ...]:
    """Crop, resize and flip the boxes of some images and clip them to the image.

    Boxes of which too little is visible are removed. A crowd box stays while one pixel of it is
    visible, because predictions inside it must not count as false positives.

    Args:
        boxes: boxes of ``n`` images, in pixels of the prepared image, on the CPU.
        rows: int64 ``[n]``, row of each of these images in the batch.
        params: augmentation params of the batch, on the CPU.
        size: ``(height, width)`` of the result.

    Returns:
        Boxes of the ``n`` images, in pixels of the result.
    """
    counts = torch.tensor([len(targets.classes) for targets in boxes])
    row_of_box = rows.repeat_interleave(counts)
    xyxy = torch.cat([targets.xyxy for targets in boxes])
    classes = torch.cat([targets.classes for targets in boxes])
    crowd = torch.cat([targets.crowd for targets in boxes])
    limit = torch.tensor([size[1], size[0]], dtype=xyxy.dtype)
    scale = limit / params.extent[row_of_box]
    corners = (xyxy.view(-1, 2, 2) - params.start[row_of_box, None]) * scale[:, None]
    left, right = corners[:, 0, 0], corners[:, 1, 0]
    flip = params.flip[row_of_box]
    x_min = torch.where(flip, size[1] - right, left)
    x_max = torch.where(flip, size[1] - left, right)
    moved = torch.stack([x_min, corners[:, 0, 1], x_max, corners[:, 1, 1]], 1)
    clipped = torch.minimum(moved.clamp(min=0), limit.repeat(2))
    sides, full_sides = clipped[:, 2:] - clipped[:, :2], moved[:, 2:] - moved[:, :2]
    visible = sides.prod(dim=1) / full_sides.prod(dim=1).clamp(min=1e-6)
    keep = (sides >= MIN_SIDE).all(dim=1) & ((visible >= MIN_VISIBLE) | crowd)
    num_kept = torch.bincount(row_of_box[keep], minlength=len(params.flip))[rows].tolist()
    return tuple(
        BoxTargets(*parts)
        for parts in zip(
            torch.split(clipped[keep], num_kept),
            torch.split(classes[keep], num_kept),
            torch.split(crowd[keep], num_kept),
            strict=True,
        )
    )
