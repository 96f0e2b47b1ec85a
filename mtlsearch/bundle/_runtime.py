"""Bundle that ONNX Runtime executes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, overload

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from mtlsearch.bundle._agreement import require_agreement, require_shape
from mtlsearch.bundle._describe import describe
from mtlsearch.bundle._folder import GRAPH, GRAPH_WEIGHTS, check_files, read_manifest
from mtlsearch.bundle._image_like import ImageLike, to_image
from mtlsearch.bundle._manifest import Manifest
from mtlsearch.bundle._outputs import draw_all
from mtlsearch.bundle._predict_images import predict_images
from mtlsearch.bundle._selection import select_outputs
from mtlsearch.bundle._tensor_file import read_tensors
from mtlsearch.errors import ExportError
from mtlsearch.prediction import TENSORS, OutputSpec, Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

# The exceptions of onnxruntime have no common base class below Exception.
_ERRORS = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
    RuntimeError,
    ValueError,  # of names in the graph that are not UTF-8
)


class Bundle:
    """Exported network with its preprocessing and decoding.

    Attributes:
        path: folder of the bundle.
        manifest: the manifest.

    Args:
        path: folder of the bundle.
        manifest: its manifest.
        session: its loaded graph.
        classes: names of the classes of boxes and categories to predict; empty for all.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        session: onnxruntime.InferenceSession,
        classes: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._session = session
        self._classes = frozenset(classes)

    @property
    def tasks(self) -> Mapping[str, OutputSpec]:
        """Specification of each task's output, by task name."""
        return MappingProxyType(dict(self.manifest.tasks))

    def describe(self) -> str:
        """Return a description of the bundle.

        Returns:
            About a dozen lines of text.
        """
        return describe(self.path.name, self.manifest)

    def select(
        self,
        *,
        conf: float | None = None,
        iou: float | None = None,
        classes: Sequence[str] = (),
    ) -> Bundle:
        """Return the bundle with other thresholds or fewer classes.

        Args:
            conf: smallest score of a box or of a class of ``categories``, 0 to 1; boxes with
                this score are drawn. None for the threshold of the bundle.
            iou: IoU above which a box suppresses another one of its class, 0 to 1; None for
                the threshold of the bundle.
            classes: names of the classes of boxes and ``categories`` to predict; empty for all.

        Returns:
            A bundle that shares the loaded graph.

        Raises:
            ConfigError: a threshold is not in 0..1, no task has a class, or no task has
                predictions to which the option applies.
        """
        manifest = select_outputs(self.manifest, conf, iou, classes)
        return Bundle(self.path, manifest, self._session, classes or tuple(self._classes))

    def run(self, inputs: NDArray[np.float32]) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Return the tensors of the graph.

        Args:
            inputs: preprocessed images, float32 ``[B, C, H, W]``.

        Returns:
            Tensors ``[B, ...]`` by task and name.

        Raises:
            ExportError: ONNX Runtime cannot run the graph, or an output has another shape than
                the manifest describes.
        """
        names = [output.name for output in self._session.get_outputs()]
        graph = str(self.path / GRAPH)
        try:
            arrays = self._session.run(names, {self._session.get_inputs()[0].name: inputs})
        except _ERRORS as error:
            raise ExportError(
                f"ONNX Runtime {onnxruntime.__version__} cannot run the graph: {error}",
                where=graph,
                next_step="export the bundle again",
            ) from error
        arrays_by_task: dict[str, dict[str, NDArray[np.float32]]] = {
            name: {} for name in self.tasks
        }
        for name, array in zip(names, arrays, strict=True):
            task, _, tensor = name.rpartition(".")
            if task in arrays_by_task and tensor in TENSORS[self.tasks[task].form]:
                require_shape(name, self.tasks[task], tensor, array.shape, graph)
                arrays_by_task[task][tensor] = array
        return arrays_by_task

    @overload
    def predict(  # type: ignore[overload-overlap]  # a path is a sequence of characters
        self, images: ImageLike, *, batch_size: int = 8
    ) -> dict[str, Prediction]: ...

    @overload
    def predict(
        self, images: Sequence[ImageLike], *, batch_size: int = 8
    ) -> list[dict[str, Prediction]]: ...

    def predict(
        self, images: ImageLike | Sequence[ImageLike], *, batch_size: int = 8
    ) -> dict[str, Prediction] | list[dict[str, Prediction]]:
        """Return the predictions for one image or for several.

        Args:
            images: an image or a list of images of any size. Each is a Pillow image in any mode,
                the path of a file, or an array ``[H, W]`` or ``[H, W, C]`` such as RGB in uint8.
                Two bands are gray and alpha. Bands that the network does not get are left out
                with a ``UserWarning``, by the rule of training.
            batch_size: number of images per forward pass.

        Returns:
            Prediction by task for one image; for a list, one such dictionary per image. Boxes,
            masks and maps fit the upright image: Pillow images and files are rotated by their
            EXIF orientation.

        Raises:
            DataError: an image cannot be read or does not fit the pixel format of the bundle.
        """
        preprocessing = self.manifest.preprocessing
        return predict_images(
            images,
            self.run,
            self.tasks,
            preprocessing,
            batch_size=batch_size,
            classes=self._classes,
        )

    def draw(self, image: ImageLike, predictions: Mapping[str, Prediction]) -> Image.Image:
        """Return an image next to one panel per task with its prediction.

        Args:
            image: the image, as for :meth:`predict`.
            predictions: prediction of each task for this image.

        Returns:
            The drawn picture in mode RGB.

        Raises:
            DataError: the image cannot be read or does not fit the pixel format of the bundle.
        """
        converted = self.manifest.preprocessing.pixel_format.apply(to_image(image))
        return draw_all(self.tasks, converted, predictions)


def open_bundle(
    path: Path | str, *, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> Bundle:
    """Open a bundle after checking its files.

    Args:
        path: folder of the bundle.
        providers: execution providers of ONNX Runtime, the preferred one first.

    Returns:
        The bundle.

    Raises:
        ExportError: the folder is not a bundle, its format version is unknown, or a file is
            missing, damaged or inconsistent with the manifest.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    weights = folder / GRAPH_WEIGHTS if GRAPH_WEIGHTS in manifest.files else None
    session = open_graph(folder / GRAPH, providers, weights)
    require_agreement(session, manifest, str(folder / GRAPH))
    return Bundle(folder, manifest, session)


def open_graph(
    path: Path,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    weights: Path | None = None,
) -> onnxruntime.InferenceSession:
    """Load a graph.

    ONNX Runtime gets the graph as bytes and the weights as arrays, so that it cannot read other
    files.

    Args:
        path: the ONNX file.
        providers: execution providers of ONNX Runtime, the preferred one first.
        weights: the safetensors file with the weights of the graph; None if it contains them.

    Returns:
        The session.

    Raises:
        ExportError: ONNX Runtime cannot load the graph.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, so the log would only repeat them
    if weights is not None:
        arrays = read_tensors(weights)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
        options.add_external_initializers(list(arrays), values)
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=list(providers), enable_fallback=0
        )
    except _ERRORS as error:
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load the graph: {error}",
            where=str(path),
            next_step="update onnxruntime, or export the bundle again",
        ) from error
