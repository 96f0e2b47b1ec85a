"""One split's prepared samples as files: written in one go, read by mapping them to memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mtlsearch.data._samples import PreparedLabel, PreparedSample, mask_type
from mtlsearch.data.cache._array_writer import ArrayWriter, fsync, open_memmap
from mtlsearch.data.cache._label_column import PLANES, Column, pack
from mtlsearch.data.checks import LabelCounts
from mtlsearch.labels import Form, LabelSpec

IMAGES, SMALL, INDEX = "images.npy", "labels.npz", "index.json"


def _plane(number: int) -> str:
    return f"plane-{number}.npy"


class SplitWriter:
    """Writes samples in the order of their rows.

    ::

        images.npy    uint8 [N, 3, h, w]
        plane-2.npy   the masks or maps [N, ...] of the label with that number
        labels.npz    classes and boxes of all rows, and which rows have which label
        index.json    how often each label and class occurs; written last

    Args:
        folder: an empty folder.
        labels: all labels of the run.
        count: how many rows there will be.
        size: ``(height, width)`` of the samples.

    Attributes:
        folder: the folder.
        rows: how many rows are written.
    """

    def __init__(
        self, folder: Path, labels: Mapping[str, LabelSpec], count: int, size: tuple[int, int]
    ) -> None:
        self.folder = folder
        self.rows = 0
        self._labels = labels
        self._images = ArrayWriter(folder / IMAGES, np.dtype(np.uint8), (count, 3, *size))
        self._planes: dict[str, ArrayWriter] = {}
        for number, (name, spec) in enumerate(labels.items()):
            path = folder / _plane(number)
            if spec.form is Form.MASK:
                self._planes[name] = ArrayWriter(path, mask_type(spec), (count, *size))
            elif spec.form is Form.MAP:
                shape = (count, spec.channels, *size)
                self._planes[name] = ArrayWriter(path, np.dtype(np.float32), shape)
        self._small: dict[str, list[PreparedLabel | None]] = {name: [] for name in labels}

    def add(self, sample: PreparedSample) -> None:
        """Write the next row."""
        self._images.add(sample.image)
        for name, values in self._small.items():
            value = sample.labels.get(name)
            if name in self._planes:
                self._planes[name].add(value if isinstance(value, Tensor) else None)
                # All that remains to be written is that it is there.
                value = None if value is None else 0
            values.append(value)
        self.rows += 1

    def close(self) -> None:
        """Let go of the files; without an index they are no kept split."""
        for file in (self._images, *self._planes.values()):
            file.close()

    def finish(self, counts: Mapping[str, LabelCounts]) -> None:
        """Write the index, once every row is there and the files are closed."""
        packed = {
            f"{number}.{part}": array
            for number, (name, spec) in enumerate(self._labels.items())
            for part, array in pack(spec.form, self._small[name]).items()
        }
        with (self.folder / SMALL).open("wb") as file:
            np.savez(file, allow_pickle=False, **packed)
            fsync(file.fileno())
        with (self.folder / INDEX).open("w", encoding="utf-8") as text:
            json.dump({name: asdict(one) for name, one in counts.items()}, text)
            text.flush()
            fsync(text.fileno())


class CachedSplit:
    """Samples that a :class:`SplitWriter` wrote; those not looked at take no memory.

    Args:
        folder: where they lie.
        labels: all labels of the run.

    Raises:
        OSError: files are missing.
        ValueError: files are damaged.
        KeyError: they hold something else.
    """

    def __init__(self, folder: Path, labels: Mapping[str, LabelSpec]) -> None:
        self._origin = (folder, dict(labels))
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self.counts = {name: _counts(index[name]) for name in labels}
        self._images = open_memmap(folder / IMAGES)
        with np.load(folder / SMALL, allow_pickle=False) as file:
            small = {name: file[name] for name in file.files}
        self._columns = {
            name: Column(spec.form, _part(small, number), _opened(spec, folder / _plane(number)))
            for number, (name, spec) in enumerate(labels.items())
        }

    def __len__(self) -> int:
        return len(self._images)

    def __reduce__(self) -> tuple[type[CachedSplit], tuple[Path, dict[str, LabelSpec]]]:
        # Another process maps the files as well, where it would be sent what is in them.
        return CachedSplit, self._origin

    def get(self, index: int) -> PreparedSample:
        """One sample; its tensors lie in the files."""
        labels = {name: column.get(index) for name, column in self._columns.items()}
        present = {name: value for name, value in labels.items() if value is not None}
        return PreparedSample(self._images[index], present)


def _part(small: Mapping[str, np.ndarray[Any, Any]], number: int) -> dict[str, Any]:
    prefix = f"{number}."
    return {
        name.removeprefix(prefix): array for name, array in small.items() if name.startswith(prefix)
    }


def _opened(spec: LabelSpec, path: Path) -> Tensor | None:
    return open_memmap(path) if spec.form in PLANES else None


def _counts(read: Mapping[str, Any]) -> LabelCounts:
    extent = read["extent"]
    return LabelCounts(
        read["present"], read["missing"], read["classes"], None if extent is None else (*extent,)
    )
