"""Boxes of a batch, moved along with their images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlsearch.data.augmentation._params import AugmentationParams
from mtlsearch.plugin import BoxTargets

MIN_SIDE = 1.0
"""A box of which fewer pixels than this remain across or down is no target any more."""

MIN_VISIBLE = 0.25
"""Nor is one of which a crop leaves less than this part of the area."""


def transform_boxes(
    boxes: Sequence[BoxTargets], rows: Tensor, changes: AugmentationParams, size: tuple[int, int]
) -> tuple[BoxTargets, ...]:
    """The boxes of some images as crop, resize and flip leave them, clipped to the image.

    Those of which too little is left to be found go; a crowd region stays as long as a pixel
    of it does: it excuses what is found in it.

    Args:
        boxes: one for each of ``n`` images, in pixels of the kept image, on the CPU.
        rows: int64 ``[n]``, which rows of the changes they belong to.
        changes: the changes of the batch, on the CPU.
        size: ``(height, width)`` of the result.
    """
    owner = rows.repeat_interleave(torch.tensor([len(one.classes) for one in boxes]))
    xyxy, classes, crowd = (
        torch.cat([getattr(one, part) for one in boxes]) for part in ("xyxy", "classes", "crowd")
    )
    limit = torch.tensor([size[1], size[0]], dtype=xyxy.dtype)
    scale = limit / changes.extent[owner]
    corners = (xyxy.view(-1, 2, 2) - changes.start[owner, None]) * scale[:, None]
    left, right = corners[:, 0, 0], corners[:, 1, 0]
    flip = changes.flip[owner]
    across = torch.where(flip, size[1] - right, left), torch.where(flip, size[1] - left, right)
    whole = torch.stack([across[0], corners[:, 0, 1], across[1], corners[:, 1, 1]], 1)
    clipped = torch.minimum(whole.clamp(min=0), limit.repeat(2))
    sides, before = clipped[:, 2:] - clipped[:, :2], whole[:, 2:] - whole[:, :2]
    part = sides.prod(dim=1) / before.prod(dim=1).clamp(min=1e-6)
    keep = (sides >= MIN_SIDE).all(dim=1) & ((part >= MIN_VISIBLE) | crowd)
    left_over = torch.bincount(owner[keep], minlength=len(changes.flip))[rows].tolist()
    return tuple(
        BoxTargets(*parts)
        for parts in zip(
            torch.split(clipped[keep], left_over),
            torch.split(classes[keep], left_over),
            torch.split(crowd[keep], left_over),
            strict=True,
        )
    )
