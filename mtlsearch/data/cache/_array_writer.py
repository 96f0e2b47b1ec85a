"""Arrays as ``.npy`` files, written row by row."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


class ArrayWriter:
    """Writes an array of which one row a time is known.

    It is written, not mapped: on a disk that is full, writing raises an error where mapped
    memory kills the process.

    Args:
        path: the file.
        kind: the array's type.
        shape: its shape; the first side counts the rows.
    """

    def __init__(self, path: Path, kind: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._file = path.open("wb")
        self._kind = kind
        self._row = int(np.prod(shape[1:])) * kind.itemsize
        header = {
            "descr": np.lib.format.dtype_to_descr(kind),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def add(self, row: Tensor | None) -> None:
        """Write the next row; None leaves a hole in the file, which takes no room."""
        if row is None:
            self._file.seek(self._row, os.SEEK_CUR)
        else:
            self._file.write(np.ascontiguousarray(row.numpy(), self._kind).data)

    def close(self) -> None:
        """Bring all of it to the disk."""
        with self._file as file:
            file.truncate(file.tell())
            fsync(file.fileno())


def open_memmap(path: Path) -> Tensor:
    """An array's file as a tensor that takes memory for the rows that are looked at.

    What is written to the tensor does not reach the file.

    Raises:
        OSError: the file is missing.
        ValueError: it is cut short, or no array.
    """
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))


def fsync(descriptor: int) -> None:
    """Wait until a file is on the disk, so that a name given to it later is that of all of it."""
    os.fsync(descriptor)
