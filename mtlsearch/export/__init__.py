"""A trained network as a bundle: ONNX, a ``torch.export`` program, safetensors, JSON.

::

    from mtlsearch.export import export_bundle, open_bundle

    export_bundle(network, tasks, Path("winner"), input_size=(96, 96), ...)
    (predictions,) = open_bundle("winner").predict([image])

Reading one needs no torch: that half is :mod:`mtlsearch.bundle`.
"""

from mtlsearch.bundle import Bundle, open_bundle
from mtlsearch.export._bundle import export_bundle
from mtlsearch.export._compare import BATCH_SIZES, TOLERANCE, difference
from mtlsearch.export._program import load_program
from mtlsearch.export._trial import export_trial

__all__ = [
    "BATCH_SIZES",
    "TOLERANCE",
    "Bundle",
    "difference",
    "export_bundle",
    "export_trial",
    "load_program",
    "open_bundle",
]
