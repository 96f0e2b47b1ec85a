"""ONNX graph, loaded by ONNX Runtime."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from mtlsearch.bundle._tensor_file import read_tensors
from mtlsearch.errors import ExportError

# The exceptions of onnxruntime have no common base class below Exception.
RUNTIME_ERRORS = (
    runtime_errors.Fail,
    runtime_errors.InvalidArgument,
    runtime_errors.InvalidGraph,
    runtime_errors.InvalidProtobuf,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
    RuntimeError,
    ValueError,  # of names in the graph that are not UTF-8
)


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
        ExportError: ONNX Runtime has none of the providers, or cannot load the graph.
    """
    available = _available(providers, str(path))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised, so the log would only repeat them
    if weights is not None:
        arrays = read_tensors(weights)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in arrays.values()]
        options.add_external_initializers(list(arrays), values)
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=available, enable_fallback=0
        )
    except RUNTIME_ERRORS as error:
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load the graph: {error}",
            where=str(path),
            next_step="update onnxruntime, or export the bundle again",
        ) from error


def _available(providers: Sequence[str], where: str) -> list[str]:
    """Return the providers that ONNX Runtime has; warn of the others.

    Raises:
        ExportError: it has none of them.
    """
    installed = onnxruntime.get_available_providers()
    available = [name for name in providers if name in installed]
    missing = ", ".join(name for name in providers if name not in installed)
    if not missing:
        return available
    what = f"ONNX Runtime {onnxruntime.__version__} as installed has no {missing}"
    if not available:
        raise ExportError(
            what,
            where=where,
            allowed=installed,
            next_step="install the package with this provider in place of onnxruntime, such as "
            "onnxruntime-gpu for CUDAExecutionProvider, or name another provider",
        )
    warnings.warn(f"{what}: {available[0]} is used", UserWarning, stacklevel=4)
    return available
