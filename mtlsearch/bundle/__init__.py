"""Bundles: exported networks as folders, which run with numpy, Pillow and onnxruntime.

:mod:`mtlsearch.export` writes bundles, this package reads them without torch::

    from mtlsearch.bundle import open_bundle

    bundle = open_bundle("winner")
    print(bundle.describe())
    predictions = bundle.predict("street.jpg")
    predictions["boxes"].xyxy
    bundle.draw("street.jpg", predictions).save("drawn.png")

Opening a bundle reads JSON and an ONNX graph. It neither unpickles nor executes any contents.
"""

from mtlsearch.bundle._agreement import IMAGE_SIZE
from mtlsearch.bundle._folder import (
    CARD,
    GRAPH,
    GRAPH_WEIGHTS,
    MODULES,
    PROGRAM,
    RUNNER,
    WEB,
    WEIGHTS,
    digest_of,
    foreign_files,
    is_bundle,
    seal,
)
from mtlsearch.bundle._graph import open_graph
from mtlsearch.bundle._image_like import ImageLike, to_image
from mtlsearch.bundle._manifest import FORMAT_VERSION, MANIFEST, FileEntry, Manifest
from mtlsearch.bundle._outputs import draw_all, save_outputs
from mtlsearch.bundle._predict_files import predict_files
from mtlsearch.bundle._predict_images import ImagePredictor, predict_raw, preprocess
from mtlsearch.bundle._preprocessing import Preprocessing
from mtlsearch.bundle._runtime import Bundle, open_bundle
from mtlsearch.images import read_image

__all__ = [
    "CARD",
    "FORMAT_VERSION",
    "GRAPH",
    "GRAPH_WEIGHTS",
    "IMAGE_SIZE",
    "MANIFEST",
    "MODULES",
    "PROGRAM",
    "RUNNER",
    "WEB",
    "WEIGHTS",
    "Bundle",
    "FileEntry",
    "ImageLike",
    "ImagePredictor",
    "Manifest",
    "Preprocessing",
    "digest_of",
    "draw_all",
    "foreign_files",
    "is_bundle",
    "open_bundle",
    "open_graph",
    "predict_files",
    "predict_raw",
    "preprocess",
    "read_image",
    "save_outputs",
    "seal",
    "to_image",
]
