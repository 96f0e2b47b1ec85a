"""Predictions of each form, as values; true labels can have the same form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class CategoryPrediction:
    """One class per image.

    Attributes:
        index: class index.
        scores: probability of each class, float32 ``[C]``; empty if unknown.
    """

    index: int
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CategoriesPrediction:
    """Any number of classes per image.

    Attributes:
        indices: class indices, the best score first.
        scores: probability of each class, float32 ``[C]``; empty if unknown.
    """

    indices: tuple[int, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class BoxesPrediction:
    """Boxes of one image, the best score first.

    Attributes:
        xyxy: left, top, right, bottom in pixels of the original image, float32 ``[N, 4]``.
        classes: class indices, int64 ``[N]``.
        scores: scores, float32 ``[N]``; empty if unknown.
    """

    xyxy: NDArray[np.float32]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrediction:
    """One class per pixel of the original image.

    Attributes:
        indices: class indices, uint8 or int32 ``[H, W]``.
    """

    indices: NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class NumberPrediction:
    """One number per image.

    Attributes:
        value: the number, in the unit of the label.
    """

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class MapPrediction:
    """Numbers per pixel of the original image.

    Attributes:
        values: float32 ``[K, H, W]``.
    """

    values: NDArray[np.float32]


Prediction = (
    CategoryPrediction
    | CategoriesPrediction
    | BoxesPrediction
    | MaskPrediction
    | NumberPrediction
    | MapPrediction
)
