"""Arrays as ``.npy`` files: written row by row, read through memory maps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


class ArrayWriter:
    """Writer of a ``.npy`` file that gets one row at a time.

    The file is written and not memory-mapped: on a full disk a write raises an error, while a
    memory map kills the process.

    Args:
        path: the file.
        dtype: dtype of the array.
        shape: shape of the array; the first dimension counts the rows.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._file = path.open("wb")
        self._dtype = dtype
        self._bytes_per_row = int(np.prod(shape[1:])) * dtype.itemsize
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def add(self, row: Tensor | None) -> None:
        """Write the next row.

        Args:
            row: the row; None leaves a hole in the file, which takes no disk space.
        """
        if row is None:
            self._file.seek(self._bytes_per_row, os.SEEK_CUR)
        else:
            self._file.write(np.ascontiguousarray(row.numpy(), self._dtype).data)

    def close(self) -> None:
        """Flush the file to disk and close it."""
        with self._file as file:
            file.truncate(file.tell())
            fsync(file.fileno())


def open_memmap(path: Path) -> Tensor:
    """Open an array's file as a tensor that uses memory only for the rows that are read.

    Args:
        path: the ``.npy`` file.

    Returns:
        The tensor. Changes of the tensor do not reach the file.

    Raises:
        OSError: the file does not exist.
        ValueError: the file is truncated or not an array.
    """
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))


def fsync(descriptor: int) -> None:
    """Flush a file to disk, so that a later rename cannot precede its content.

    Args:
        descriptor: file descriptor.
    """
    os.fsync(descriptor)
