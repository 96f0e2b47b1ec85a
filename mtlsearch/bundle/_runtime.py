"""Bundle that ONNX Runtime executes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from mtlsearch.bundle._agreement import (
    IMAGE_SIZE,
    expected_tensors,
    require_agreement,
    require_shape,
)
from mtlsearch.bundle._describe import describe
from mtlsearch.bundle._folder import GRAPH, GRAPH_WEIGHTS, check_files, read_manifest
from mtlsearch.bundle._graph import RUNTIME_ERRORS, open_graph
from mtlsearch.bundle._image_like import ImageLike, to_image
from mtlsearch.bundle._manifest import Manifest
from mtlsearch.bundle._outputs import draw_all
from mtlsearch.bundle._predict_images import (
    ImagePredictor,
    Predictions,
    predict_raw,
    preprocess,
)
from mtlsearch.bundle._selection import select_outputs
from mtlsearch.errors import ExportError
from mtlsearch.prediction import OutputSpec, Prediction, option_values, read_decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from mtlsearch.images import AnyImage


class Bundle(ImagePredictor):
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

    def run(
        self, inputs: NDArray[np.float32], *, image_size: tuple[int, int] | None = None
    ) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the tensors of the graph.

        Args:
            inputs: preprocessed images, float32 ``[B, C, H, W]``.
            image_size: ``(height, width)`` in whose pixels a graph with decoding returns boxes,
                masks and maps; by default those of the network's input. Other graphs ignore it.

        Returns:
            Tensors ``[B, ...]`` by task and name.

        Raises:
            ExportError: ONNX Runtime cannot run the graph, or an output has another shape than
                the manifest describes.
        """
        names = [output.name for output in self._session.get_outputs()]
        graph = str(self.path / GRAPH)
        try:
            arrays = self._session.run(names, self._feeds(inputs, image_size))
        except RUNTIME_ERRORS as error:
            raise ExportError(
                f"ONNX Runtime {onnxruntime.__version__} cannot run the graph: {error}",
                where=graph,
                next_step="export the bundle again",
            ) from error
        array_by_name = dict(zip(names, arrays, strict=True))
        arrays_by_task: dict[str, dict[str, NDArray[Any]]] = {name: {} for name in self.tasks}
        for task, output in self.tasks.items():
            for tensor, expected in expected_tensors(output, decoded=self.manifest.decoded).items():
                name = f"{task}.{tensor}"
                require_shape(name, expected, array_by_name[name].shape, graph)
                arrays_by_task[task][tensor] = array_by_name[name]
        return arrays_by_task

    def _feeds(
        self, inputs: NDArray[np.float32], image_size: tuple[int, int] | None
    ) -> dict[str, NDArray[Any]]:
        """Return the inputs of the graph by name."""
        if not self.manifest.decoded:
            return {self._session.get_inputs()[0].name: inputs}
        size = np.array(image_size or self.manifest.preprocessing.size, np.int64)
        feeds: dict[str, NDArray[Any]] = {self._session.get_inputs()[0].name: inputs}
        feeds[IMAGE_SIZE] = size
        for task, output in self.tasks.items():
            for name, value in option_values(output, self._classes).items():
                feeds[f"{task}.{name}"] = value
        return feeds

    def _predict_batch(self, images: Sequence[AnyImage]) -> list[Predictions]:
        """Return the predictions for a batch."""
        if self.manifest.decoded:
            return self._predict_decoded(images)
        preprocessing = self.manifest.preprocessing
        return predict_raw(images, self.run, self.tasks, preprocessing, self._classes)

    def _predict_decoded(self, images: Sequence[AnyImage]) -> list[Predictions]:
        """Return the predictions for a batch by a graph with decoding, one run per size."""
        inputs = preprocess(images, self.manifest.preprocessing)
        rows_by_size: dict[tuple[int, int], list[int]] = {}
        for row, image in enumerate(images):
            rows_by_size.setdefault((image.size[1], image.size[0]), []).append(row)
        prediction_by_row: dict[int, Predictions] = {}
        for size, rows in rows_by_size.items():
            arrays = self.run(inputs[rows], image_size=size)
            for index, row in enumerate(rows):
                prediction_by_row[row] = {
                    task: read_decoded(
                        output,
                        {name: array[index] for name, array in arrays[task].items()},
                        classes=self._classes,
                    )
                    for task, output in self.tasks.items()
                }
        return [prediction_by_row[row] for row in range(len(images))]

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
