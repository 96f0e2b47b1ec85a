"""Sample: one image with its labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.images import AnyImage


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Axis-aligned boxes of one image.

    Attributes:
        xyxy: left, top, right, bottom in pixels of the image, float32 ``[N, 4]``.
        classes: class index of each box, int64 ``[N]``.
        crowd: whether a box is a crowd, bool ``[N]``; a crowd is neither a target nor a false
            positive.
    """

    xyxy: NDArray[np.float32]
    classes: NDArray[np.int64]
    crowd: NDArray[np.bool_]

    @classmethod
    def empty(cls) -> Boxes:
        """Return a label with 0 boxes, which differs from a missing label.

        Returns:
            Boxes with ``N = 0``.
        """
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))


RawLabel = int | float | tuple[int, ...] | Boxes | np.ndarray
"""Label of one image in the type that its :class:`Form` prescribes."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One image with its labels, as a source reads them.

    Attributes:
        image: upright Pillow image in any mode, or bands; the program converts it to the pixel
            format of the run.
        labels: labels by name; a missing label has no entry.
    """

    image: AnyImage
    labels: Mapping[str, RawLabel] = field(default_factory=dict)
