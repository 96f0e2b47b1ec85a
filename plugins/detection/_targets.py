"""True boxes of several images as tensors of one size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mtlsearch.plugin import BoxTargets


@dataclass(frozen=True, slots=True, eq=False)
class PaddedBoxes:
    """The boxes of ``n`` images, padded to the most that one has, at least one.

    Attributes:
        xyxy: float32 ``[n, M, 4]`` in pixels.
        classes: int64 ``[n, M]``.
        real: bool ``[n, M]``, false where there is none.
    """

    xyxy: Tensor
    classes: Tensor
    real: Tensor

    @classmethod
    def of(cls, targets: tuple[BoxTargets, ...], *, crowd: bool) -> PaddedBoxes:
        """The boxes of all images that are crowd regions, or those that are not."""
        chosen = [each.crowd if crowd else ~each.crowd for each in targets]
        # A row of padding of its own keeps M at 1 or more.
        xyxy = [
            torch.cat([each.xyxy[kept].float(), each.xyxy.new_zeros(1, 4)])
            for each, kept in zip(targets, chosen, strict=True)
        ]
        classes = [
            torch.cat([each.classes[kept], each.classes.new_zeros(1)])
            for each, kept in zip(targets, chosen, strict=True)
        ]
        real = [kept.new_ones(int(kept.sum())) for kept in chosen]
        width = max(len(each) for each in xyxy)
        return cls(
            pad_sequence(xyxy, batch_first=True),
            pad_sequence(classes, batch_first=True),
            torch.stack([torch.cat([each, each.new_zeros(width - len(each))]) for each in real]),
        )
