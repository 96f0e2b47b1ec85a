"""One image with whatever labels it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Axis-aligned boxes of one image.

    Attributes:
        xyxy: float32 ``[N, 4]``, left, top, right, bottom in pixels of the image.
        classes: int64 ``[N]``.
        crowd: bool ``[N]``; a crowd region is neither a target nor a false positive.
    """

    xyxy: NDArray[np.float32]
    classes: NDArray[np.int64]
    crowd: NDArray[np.bool_]

    @classmethod
    def empty(cls) -> Boxes:
        """No box at all, which is an ordinary label."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))


RawLabel = int | tuple[int, ...] | Boxes | np.ndarray
"""A label as a source yields it; which of these, its :class:`Form` says."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image as a source yields it.

    Attributes:
        image: an RGB picture.
        labels: label name to value; a label that the image lacks is not in it.
    """

    image: Image.Image
    labels: Mapping[str, RawLabel] = field(default_factory=dict)
