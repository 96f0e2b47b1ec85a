"""Predictions, and true labels, as values that can be written and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class CategoryPrediction:
    """One class; ``scores`` float32 ``[C]`` holds every class's probability."""

    index: int
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CategoriesPrediction:
    """Any number of classes, the likeliest first; ``scores`` float32 ``[C]``."""

    indices: tuple[int, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class BoxesPrediction:
    """Boxes, best first, in pixels of the original image.

    ``xyxy`` float32 ``[N, 4]``, ``classes`` int64 ``[N]``, ``scores`` float32 ``[N]``.
    """

    xyxy: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrediction:
    """One class a pixel of the original image: ``indices`` uint8 or int32 ``[H, W]``."""

    indices: NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class MapPrediction:
    """Numbers for each pixel of the original image: ``values`` float32 ``[K, H, W]``."""

    values: NDArray[np.float32]


Prediction = (
    CategoryPrediction | CategoriesPrediction | BoxesPrediction | MaskPrediction | MapPrediction
)
