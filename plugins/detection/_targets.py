"""True boxes of several images as tensors of equal size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mtlsearch.plugin import BoxTargets


@dataclass(frozen=True, slots=True, eq=False)
class PaddedBoxes:
    """The boxes of ``n`` images, padded to ``M >= 1`` per image.

    Attributes:
        xyxy: float32 ``[n, M, 4]``, in pixels.
        classes: int64 ``[n, M]``.
        real: bool ``[n, M]``, false for padding.
    """

    xyxy: Tensor
    classes: Tensor
    real: Tensor

    @classmethod
    def of(cls, targets: tuple[BoxTargets, ...], *, crowd: bool) -> PaddedBoxes:
        """Return the crowd boxes of all images, or the others."""
        masks = [boxes.crowd if crowd else ~boxes.crowd for boxes in targets]
        # One row of padding per image keeps M at 1 or more.
        xyxy = [
            torch.cat([boxes.xyxy[mask].float(), boxes.xyxy.new_zeros(1, 4)])
            for boxes, mask in zip(targets, masks, strict=True)
        ]
        classes = [
            torch.cat([boxes.classes[mask], boxes.classes.new_zeros(1)])
            for boxes, mask in zip(targets, masks, strict=True)
        ]
        real = [mask.new_ones(int(mask.sum())) for mask in masks]
        width = max(len(rows) for rows in xyxy)
        return cls(
            pad_sequence(xyxy, batch_first=True),
            pad_sequence(classes, batch_first=True),
            torch.stack([torch.cat([row, row.new_zeros(width - len(row))]) for row in real]),
        )
