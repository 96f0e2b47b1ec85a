"""Label columns: one label of all samples of a split as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtlsearch.data._samples import DENSE_FORMS, PreparedLabel
from mtlsearch.data.cache._array_file import ArrayFile
from mtlsearch.labels import Form
from mtlsearch.plugin import BoxTargets


def pack(form: Form, values: Sequence[PreparedLabel | None]) -> dict[str, NDArray[Any]]:
    """Pack one label of all samples into arrays.

    Args:
        form: form of the label.
        values: the label of every sample; None where it is missing.

    Returns:
        ``present`` bool ``[N]``. Except for dense labels also ``counts`` int64 ``[N]``, the
        entries per sample, and ``values`` int64 ``[M]``, the class indices of all entries, or
        float64 for numbers. For boxes also ``xyxy`` float32 ``[M, 4]`` and ``crowd`` bool ``[M]``.
    """
    packed: dict[str, NDArray[Any]] = {"present": np.array([value is not None for value in values])}
    if form in DENSE_FORMS:
        return packed
    if form is Form.BOXES:
        rows = [value if isinstance(value, BoxTargets) else _NO_BOXES for value in values]
        packed["xyxy"] = torch.cat([boxes.xyxy for boxes in rows]).numpy()
        packed["crowd"] = torch.cat([boxes.crowd for boxes in rows]).numpy()
        packed["values"] = torch.cat([boxes.classes for boxes in rows]).numpy()
        counts = [len(boxes.classes) for boxes in rows]
    else:
        entries = [_entries(value) for value in values]
        kind = np.float64 if form is Form.NUMBER else np.int64
        packed["values"] = np.array([item for row in entries for item in row], kind)
        counts = [len(row) for row in entries]
    packed["counts"] = np.array(counts, np.int64)
    return packed


_NO_BOXES = BoxTargets(
    torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool)
)


def _entries(value: PreparedLabel | None) -> tuple[float, ...]:
    """Return the class indices of a category or of categories, or a number."""
    if isinstance(value, int | float):
        return (value,)
    return value if isinstance(value, tuple) else ()


class LabelColumn:
    """One label of all samples, read from the arrays of :func:`pack`.

    Args:
        form: form of the label.
        packed: the arrays.
        dense: file with masks or maps ``[N, ...]`` of a dense label, else None.

    Raises:
        KeyError: an array is missing.
    """

    def __init__(
        self, form: Form, packed: Mapping[str, NDArray[Any]], dense: ArrayFile | None
    ) -> None:
        self._form = form
        self._present = packed["present"].tolist()
        self._dense = dense
        if dense is not None:
            return
        self._ends = [0, *packed["counts"].cumsum().tolist()]
        self._values = torch.from_numpy(packed["values"])
        if form is Form.BOXES:
            self._xyxy = torch.from_numpy(packed["xyxy"])
            self._crowd = torch.from_numpy(packed["crowd"])

    def get(self, index: int) -> PreparedLabel | None:
        """Return the label of one sample.

        Args:
            index: index of the sample.

        Returns:
            The label; None if it is missing.
        """
        if not self._present[index]:
            return None
        if self._dense is not None:
            return self._dense[index]
        rows = slice(self._ends[index], self._ends[index + 1])
        if self._form is Form.BOXES:
            return BoxTargets(self._xyxy[rows], self._values[rows], self._crowd[rows])
        entries = self._values[rows].tolist()
        if self._form is Form.NUMBER:
            return float(entries[0])
        return int(entries[0]) if self._form is Form.CATEGORY else tuple(entries)
