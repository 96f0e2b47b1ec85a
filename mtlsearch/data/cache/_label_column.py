"""One label of all samples of a split, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtlsearch.data._samples import PreparedLabel
from mtlsearch.labels import Form
from mtlsearch.plugin import BoxTargets

PLANES = (Form.MASK, Form.MAP)
"""Labels with a number a pixel; they lie in files of their own."""


def pack(form: Form, values: Sequence[PreparedLabel | None]) -> dict[str, NDArray[Any]]:
    """Which rows have the label, and, but for planes, their entries one after the other.

    Args:
        form: the label's form.
        values: the label of every row; None where it is missing.

    Returns:
        ``present`` bool ``[N]``, ``counts`` int64 ``[N]`` of entries a row, their class
        indices ``values`` int64 ``[M]``; of boxes ``xyxy`` float32 ``[M, 4]`` and ``crowd``.
    """
    packed: dict[str, NDArray[Any]] = {"present": np.array([at is not None for at in values])}
    if form in PLANES:
        return packed
    if form is Form.BOXES:
        boxes = [_NO_BOXES if not isinstance(at, BoxTargets) else at for at in values]
        packed["xyxy"] = torch.cat([one.xyxy for one in boxes]).numpy()
        packed["crowd"] = torch.cat([one.crowd for one in boxes]).numpy()
        packed["values"] = torch.cat([one.classes for one in boxes]).numpy()
        counts = [len(one.classes) for one in boxes]
    else:
        rows = [_entries(at) for at in values]
        packed["values"] = np.array([entry for row in rows for entry in row], np.int64)
        counts = [len(row) for row in rows]
    packed["counts"] = np.array(counts, np.int64)
    return packed


_NO_BOXES = BoxTargets(
    torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool)
)


def _entries(value: PreparedLabel | None) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,)
    return value if isinstance(value, tuple) else ()


class Column:
    """One label of every row, from what :func:`pack` made.

    Args:
        form: the label's form.
        packed: the arrays.
        plane: the masks or maps ``[N, ...]``, of labels that are such.

    Raises:
        KeyError: an array is missing.
    """

    def __init__(
        self, form: Form, packed: Mapping[str, NDArray[Any]], plane: Tensor | None
    ) -> None:
        self._form = form
        self._present = packed["present"].tolist()
        self._plane = plane
        if plane is not None:
            return
        self._ends = [0, *packed["counts"].cumsum().tolist()]
        self._values = torch.from_numpy(packed["values"])
        if form is Form.BOXES:
            self._xyxy = torch.from_numpy(packed["xyxy"])
            self._crowd = torch.from_numpy(packed["crowd"])

    def get(self, index: int) -> PreparedLabel | None:
        """The label of one row, or None where it is missing."""
        if not self._present[index]:
            return None
        if self._plane is not None:
            return self._plane[index]
        own = slice(self._ends[index], self._ends[index + 1])
        if self._form is Form.BOXES:
            return BoxTargets(self._xyxy[own], self._values[own], self._crowd[own])
        entries = self._values[own].tolist()
        return int(entries[0]) if self._form is Form.CATEGORY else tuple(entries)
