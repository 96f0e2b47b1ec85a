"""Predictions: decoding of exported arrays, JSON form and drawing, with numpy and Pillow only.

>>> import numpy as np
>>> from mtlsearch.labels import Form
>>> from mtlsearch.prediction import OutputSpec, decode, to_json
>>> output = OutputSpec(Form.CATEGORY, classes=("cat", "dog"))
>>> arrays = {"scores": np.array([0.25, 0.75], np.float32)}
>>> prediction = decode(output, arrays, input_size=(96, 96), image_size=(480, 640))
>>> to_json(output, prediction)["class"]
'dog'
"""

from mtlsearch.prediction._decode import (
    DEFAULT_COUNTS,
    DEFAULT_VOTE,
    MIN_SCORE,
    SELECTABLE,
    TENSORS,
    decode,
)
from mtlsearch.prediction._decoded import at_most, decoded_tensors, option_values, read_decoded
from mtlsearch.prediction._draw import DRAW_THRESHOLD, draw
from mtlsearch.prediction._json import to_json
from mtlsearch.prediction._layout import side_by_side
from mtlsearch.prediction._palette import VIRIDIS, class_color
from mtlsearch.prediction._spec import OutputSpec
from mtlsearch.prediction._values import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    NumberPrediction,
    Prediction,
)

__all__ = [
    "DEFAULT_COUNTS",
    "DEFAULT_VOTE",
    "DRAW_THRESHOLD",
    "MIN_SCORE",
    "SELECTABLE",
    "TENSORS",
    "VIRIDIS",
    "BoxesPrediction",
    "CategoriesPrediction",
    "CategoryPrediction",
    "MapPrediction",
    "MaskPrediction",
    "NumberPrediction",
    "OutputSpec",
    "Prediction",
    "at_most",
    "class_color",
    "decode",
    "decoded_tensors",
    "draw",
    "option_values",
    "read_decoded",
    "side_by_side",
    "to_json",
]
