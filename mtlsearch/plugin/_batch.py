"""What a training step is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, Union

from mtlsearch.labels import send

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class BoxTargets:
    """The true boxes of one image.

    Attributes:
        xyxy: float32 ``[N, 4]`` in pixels of the network's input.
        classes: int64 ``[N]``.
        crowd: bool ``[N]``.
    """

    xyxy: Tensor
    classes: Tensor
    crowd: Tensor

    def to(self, device: torch.device) -> BoxTargets:
        """The same boxes on another device."""
        return BoxTargets(
            send(self.xyxy, device),
            send(self.classes, device),
            send(self.crowd, device),
        )


TargetValues: TypeAlias = Union["Tensor", tuple[BoxTargets, ...]]
"""Labels of ``n`` samples, by form:

============  ============================================
CATEGORY      int64 ``[n]``
CATEGORIES    float32 ``[n, C]`` of zeros and ones
BOXES         a tuple of ``n`` :class:`BoxTargets`
MASK          int64 ``[n, H, W]``, ``ignore_index`` = void
MAP           float32 ``[n, K, H, W]``
============  ============================================
"""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """One label's values for those samples of a batch that carry it.

    Attributes:
        rows: int64 ``[n]``, which samples of the batch, ascending; ``n >= 1``.
        values: their labels.
    """

    rows: Tensor
    values: TargetValues

    def to(self, device: torch.device) -> Targets:
        """The same targets on another device."""
        if isinstance(self.values, tuple):
            moved: TargetValues = tuple(boxes.to(device) for boxes in self.values)
        else:
            moved = send(self.values, device)
        return Targets(send(self.rows, device), moved)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images and the labels they have.

    Attributes:
        images: float32 ``[B, 3, H, W]``, normalised as the backbone expects.
        targets: by label name; a label that no image of the batch carries is not in it.
    """

    images: Tensor
    targets: Mapping[str, Targets]

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(
            send(self.images, device),
            {name: targets.to(device) for name, targets in self.targets.items()},
        )
