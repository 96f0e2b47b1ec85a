"""Bundles: exported networks as folders, which run with numpy, Pillow, pydantic and onnxruntime.

:mod:`mtlsearch.export` writes bundles, this package reads them without torch::

    from PIL import Image
    from mtlsearch.bundle import open_bundle

    bundle = open_bundle("winner")
    print(bundle.describe())
    (predictions,) = bundle.predict([Image.open("street.jpg")])
    predictions["boxes"].xyxy

Opening a bundle reads JSON and an ONNX graph. It neither unpickles nor executes any contents.
"""

from mtlsearch.bundle._folder import CARD, GRAPH, PROGRAM, WEIGHTS, digest_of, is_bundle
from mtlsearch.bundle._manifest import FORMAT_VERSION, MANIFEST, FileEntry, Manifest
from mtlsearch.bundle._outputs import draw_all, save_outputs
from mtlsearch.bundle._preprocessing import Preprocessing
from mtlsearch.bundle._runtime import Bundle, open_bundle, open_graph
from mtlsearch.images import read_image

__all__ = [
    "CARD",
    "FORMAT_VERSION",
    "GRAPH",
    "MANIFEST",
    "PROGRAM",
    "WEIGHTS",
    "Bundle",
    "FileEntry",
    "Manifest",
    "Preprocessing",
    "digest_of",
    "draw_all",
    "is_bundle",
    "open_bundle",
    "open_graph",
    "read_image",
    "save_outputs",
]
