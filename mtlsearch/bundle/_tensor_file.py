"""Tensors of a safetensors file, read with numpy alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlsearch.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH_BYTES = 8
"""Size of the number that is the length of the header."""

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file as arrays that are mapped from the file.

    Args:
        path: the file.

    Returns:
        Arrays by name.

    Raises:
        ExportError: the file is not in the format safetensors, or a tensor has an unknown type.
    """
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    length = int.from_bytes(content[:LENGTH_BYTES].tobytes(), "little")
    start = LENGTH_BYTES + min(length, len(content))
    try:
        header = json.loads(content[LENGTH_BYTES:start].tobytes())
        return {
            name: _array(content[start:], entry)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ExportError(
            f"the weights of the graph cannot be read: {error}",
            where=str(path),
            next_step="export the bundle again",
        ) from error


def _array(data: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    first, last = entry["data_offsets"]
    return data[first:last].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
