"""A bundle, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from mtlsearch.bundle._describe import describe
from mtlsearch.bundle._folder import GRAPH, check_files, read_manifest
from mtlsearch.bundle._manifest import Manifest
from mtlsearch.errors import ExportError
from mtlsearch.prediction import TENSORS, OutputSpec, Prediction, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

# onnxruntime's exceptions have no root of their own below Exception.
_LOAD_ERRORS = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
)


class Bundle:
    """An exported network and how to use it.

    Args:
        path: the bundle's folder.
        manifest: what it says of itself.
        session: its graph, loaded.
    """

    def __init__(
        self, path: Path, manifest: Manifest, session: onnxruntime.InferenceSession
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._session = session

    @property
    def tasks(self) -> Mapping[str, OutputSpec]:
        """How each task's tensors are read, by task name."""
        return MappingProxyType(dict(self.manifest.tasks))

    def describe(self) -> str:
        """What the bundle is, in a dozen lines for a person."""
        return describe(self.path.name, self.manifest)

    def run(self, inputs: NDArray[np.float32]) -> dict[str, dict[str, NDArray[np.float32]]]:
        """The graph's tensors, by task and name.

        Args:
            inputs: preprocessed images, float32 ``[B, 3, H, W]``.
        """
        names = [output.name for output in self._session.get_outputs()]
        arrays = self._session.run(names, {self._session.get_inputs()[0].name: inputs})
        of_task: dict[str, dict[str, NDArray[np.float32]]] = {name: {} for name in self.tasks}
        for name, array in zip(names, arrays, strict=True):
            task, _, tensor = name.rpartition(".")
            if task in of_task:
                of_task[task][tensor] = array
        return of_task

    def predict(
        self, images: Sequence[Image.Image], *, batch_size: int = 8
    ) -> list[dict[str, Prediction]]:
        """Every task's prediction for every image, in the order of the images.

        Args:
            images: pictures of any size and mode.
            batch_size: how many go through the network at once.
        """
        predictions: list[dict[str, Prediction]] = []
        for start in range(0, len(images), batch_size):
            predictions += self._predict_batch(images[start : start + batch_size])
        return predictions

    def _predict_batch(self, images: Sequence[Image.Image]) -> list[dict[str, Prediction]]:
        preprocessing = self.manifest.preprocessing
        arrays = self.run(np.stack([preprocessing(image) for image in images]))
        return [
            {
                task: decode(
                    output,
                    {name: array[row] for name, array in arrays[task].items()},
                    input_size=preprocessing.size,
                    image_size=(image.height, image.width),
                )
                for task, output in self.tasks.items()
            }
            for row, image in enumerate(images)
        ]


def open_bundle(
    path: Path | str, *, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> Bundle:
    """Open a bundle, after checking that every file is as it was exported.

    Args:
        path: the bundle's folder.
        providers: ONNX Runtime's execution providers, the preferred first.

    Raises:
        ExportError: there is no bundle, it is of an unknown format version, or a file is
            missing, damaged or does not fit the others.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    bundle = Bundle(folder, manifest, open_graph(folder / GRAPH, providers))
    _check_tensors(bundle)
    return bundle


def open_graph(
    path: Path, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> onnxruntime.InferenceSession:
    """A graph on disk as a session.

    It is handed over as bytes, so that no weights from other files are ever read.

    Raises:
        ExportError: ONNX Runtime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised; the log repeats it
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=list(providers))
    except _LOAD_ERRORS as error:
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load the graph: {error}",
            where=str(path),
            next_step="update onnxruntime, or export the bundle again",
        ) from error


def _check_tensors(bundle: Bundle) -> None:
    """See that the graph has the tensors that the tasks are decoded from."""
    names = {output.name for output in bundle._session.get_outputs()}
    needed = {
        f"{task}.{tensor}"
        for task, output in bundle.tasks.items()
        for tensor in TENSORS[output.form]
    }
    if missing := sorted(needed - names):
        raise ExportError(
            f"the graph has no output {', '.join(missing)}",
            where=str(bundle.path / GRAPH),
            allowed=sorted(names),
            next_step="the bundle's files do not belong together: export it again",
        )
