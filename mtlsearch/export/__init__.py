"""Export of a trained network as a bundle: ONNX, ``torch.export``, safetensors, JSON.

::

    from mtlsearch.export import export_bundle, open_bundle

    export_bundle(network, tasks, Path("winner"), input_size=(96, 96), ...)
    (predictions,) = open_bundle("winner").predict([image])

:mod:`mtlsearch.bundle` reads a bundle, without torch.
"""

from mtlsearch.bundle import Bundle, open_bundle
from mtlsearch.export._bundle import export_bundle
from mtlsearch.export._compare import BATCH_SIZES, TOLERANCE, difference
from mtlsearch.export._latency import Effort, Latency, measure_latency, measure_network
from mtlsearch.export._precision import Precision
from mtlsearch.export._trial import export_network, export_trial

__all__ = [
    "BATCH_SIZES",
    "TOLERANCE",
    "Bundle",
    "Effort",
    "Latency",
    "Precision",
    "difference",
    "export_bundle",
    "export_network",
    "export_trial",
    "measure_latency",
    "measure_network",
    "open_bundle",
]
