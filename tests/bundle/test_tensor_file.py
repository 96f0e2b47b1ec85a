"""Tensors are read from a safetensors file as the library reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mtlsearch.bundle._tensor_file import read_tensors
from mtlsearch.errors import ExportError


def test_read_tensors_equal_those_written(tmp_path: Path) -> None:
    tensors = {
        "weight": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32),
        "half": np.ones(5, np.float16),
        "count": np.array(7, np.int64),
        "mask": np.array([True, False]),
    }
    save_file(tensors, tmp_path / "x.safetensors", {"format": "test"})
    read = read_tensors(tmp_path / "x.safetensors")
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        np.testing.assert_array_equal(read[name], tensor)


def _file(header: str, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header.encode() + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 16,
        _file("[1]"),
        _file("{'a'"),
        _file('{"a": 1}'),
        _file('{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', b"1234"),
        _file('{"a": {"dtype": "F4", "shape": [1], "data_offsets": [0, 4]}}', b"1234"),
        _file('{"a": {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]}}', b"1234"),
    ],
)
def test_invalid_tensor_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(ExportError, match="cannot be read") as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)
