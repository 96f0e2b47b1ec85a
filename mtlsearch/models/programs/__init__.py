"""Programs: a network as a ``torch.export`` program and as an ONNX graph.

Export writes both. The preflight check of ``mtlsearch.runs`` converts an untrained network, so
that an operation that cannot be exported is reported before any training.
"""

from mtlsearch.models.programs._exported_network import (
    ExportedNetwork,
    make_program,
    save_program,
)
from mtlsearch.models.programs._onnx_graph import INPUT, convert_to_onnx, save_graph

__all__ = [
    "INPUT",
    "ExportedNetwork",
    "convert_to_onnx",
    "make_program",
    "save_graph",
    "save_program",
]
