"""From exported arrays to predictions, JSON and pictures: numpy and Pillow alone."""

from mtlsearch.prediction._decode import decode
from mtlsearch.prediction._draw import draw
from mtlsearch.prediction._json import to_json
from mtlsearch.prediction._spec import OutputSpec
from mtlsearch.prediction._values import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    Prediction,
)

__all__ = [
    "BoxesPrediction",
    "CategoriesPrediction",
    "CategoryPrediction",
    "MapPrediction",
    "MaskPrediction",
    "OutputSpec",
    "Prediction",
    "decode",
    "draw",
    "to_json",
]
