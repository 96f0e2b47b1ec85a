"""Decoding inside an exported ONNX graph, by standard operators of ONNX.

::

    from mtlsearch.export.decoding import add_decoding

    add_decoding(Path("model.onnx"), {"boxes": output}, input_size=(96, 96))
"""

from mtlsearch.export.decoding._check import check_decoding, prediction_difference
from mtlsearch.export.decoding._decoding import add_decoding

__all__ = ["add_decoding", "check_decoding", "prediction_difference"]
