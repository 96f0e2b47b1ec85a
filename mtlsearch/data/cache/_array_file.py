"""Arrays as ``.npy`` files: written and read row by row."""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtlsearch.errors import InfrastructureError


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


class ArrayFile:
    """Rows of an array in a ``.npy`` file; only rows that are read use memory.

    Rows are read and not memory-mapped: if the file is truncated, or a network disk is away, a
    read raises an error, while a memory map kills the process.

    Args:
        path: the ``.npy`` file.

    Raises:
        OSError: the file does not exist.
        ValueError: the file is truncated or not an array.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        if (version := np.lib.format.read_magic(self._file)) != (1, 0):
            raise ValueError(f"{path} is an array file of version {version}, not of this program")
        shape, is_fortran, self._dtype = np.lib.format.read_array_header_1_0(self._file)
        self._start = self._file.tell()
        self._num_rows, self._shape = shape[0], shape[1:]
        self._bytes_per_row = int(np.prod(self._shape)) * self._dtype.itemsize
        size = self._start + self._num_rows * self._bytes_per_row
        if is_fortran or os.fstat(self._file.fileno()).st_size != size:
            raise ValueError(f"{path} is truncated")

    def __len__(self) -> int:
        return int(self._num_rows)

    def __getitem__(self, index: int) -> Tensor:
        """Read one row.

        Args:
            index: index of the row, from 0.

        Returns:
            The row. Changes of the tensor do not reach the file.

        Raises:
            InfrastructureError: the file was truncated after it was opened.
            OSError: the file cannot be read.
        """
        row = np.empty(self._shape, self._dtype)
        if self._read(row, self._start + index * self._bytes_per_row) < self._bytes_per_row:
            raise InfrastructureError(
                "a file of the cache of resized images was truncated during the search",
                where=str(self._path),
                next_step="run the same command to resume: it resizes these images again",
            )
        return torch.from_numpy(row)

    def _read(self, row: np.ndarray[Any, Any], offset: int) -> int:
        buffer = row.data.cast("B")
        num_read = 0
        while num_read < len(buffer):
            count = self._read_once(buffer[num_read:], offset + num_read)
            if count == 0:
                break
            num_read += count
        return num_read

    def _read_once(self, buffer: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):  # processes that were forked share one position in the file
            return os.preadv(self._file.fileno(), [buffer], offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(buffer) or 0


def fsync(descriptor: int) -> None:
    """Flush a file to disk, so that a later rename cannot precede its content.

    Args:
        descriptor: file descriptor.
    """
    os.fsync(descriptor)
