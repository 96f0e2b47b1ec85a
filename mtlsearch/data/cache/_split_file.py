"""Files of one split: prepared samples, written in order and read one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mtlsearch.data._samples import DENSE_FORMS, PreparedLabel, PreparedSample, mask_dtype
from mtlsearch.data.cache._array_file import ArrayFile, ArrayWriter, fsync
from mtlsearch.data.cache._label_column import LabelColumn, pack
from mtlsearch.data.checks import FlaggedImages, ImageCounts, LabelCounts
from mtlsearch.labels import Form, LabelSpec

IMAGES, LABELS, INDEX = "images.npy", "labels.npz", "index.json"


def _dense_file(number: int) -> str:
    return f"dense-{number}.npy"


class SplitWriter:
    """Writer of the samples of a split, in order.

    ::

        images.npy    uint8 [N, C, h, w]
        dense-2.npy   masks or maps [N, ...] of the label with this number
        labels.npz    classes and boxes of all samples, and which samples have which label
        index.json    counts of labels, classes and flagged images, digests; written last

    Args:
        folder: an empty folder.
        labels: all labels of the run.
        num_samples: number of samples that will be written.
        shape: ``(channels, height, width)`` of the images.

    Attributes:
        folder: the folder.
        num_written: number of samples written so far.
    """

    def __init__(
        self,
        folder: Path,
        labels: Mapping[str, LabelSpec],
        num_samples: int,
        shape: tuple[int, int, int],
    ) -> None:
        self.folder = folder
        self.num_written = 0
        self._labels = labels
        self._images = ArrayWriter(folder / IMAGES, np.dtype(np.uint8), (num_samples, *shape))
        size = shape[1:]
        self._dense: dict[str, ArrayWriter] = {}
        for number, (name, spec) in enumerate(labels.items()):
            path = folder / _dense_file(number)
            if spec.form is Form.MASK:
                self._dense[name] = ArrayWriter(path, mask_dtype(spec), (num_samples, *size))
            elif spec.form is Form.MAP:
                map_shape = (num_samples, spec.channels, *size)
                self._dense[name] = ArrayWriter(path, np.dtype(np.float32), map_shape)
        self._values: dict[str, list[PreparedLabel | None]] = {name: [] for name in labels}

    def add(self, sample: PreparedSample) -> None:
        """Write the next sample.

        Args:
            sample: the sample.
        """
        self._images.add(sample.image)
        for name, values in self._values.items():
            value = sample.labels.get(name)
            if name in self._dense:
                self._dense[name].add(value if isinstance(value, Tensor) else None)
                # The other file only needs to record that the label is present.
                value = None if value is None else 0
            values.append(value)
        self.num_written += 1

    def close(self) -> None:
        """Close the files; without an index they are not a cached split."""
        for writer in (self._images, *self._dense.values()):
            writer.close()

    def finish(
        self,
        counts: Mapping[str, LabelCounts],
        flagged: ImageCounts,
        digests: Sequence[bytes],
    ) -> None:
        """Write labels and index, after all samples are written and the files are closed.

        Args:
            counts: occurrences of each label and class.
            flagged: what reading the images lost.
            digests: digest of the pixels of each image.
        """
        packed = {
            f"{number}.{part}": array
            for number, (name, spec) in enumerate(self._labels.items())
            for part, array in pack(spec.form, self._values[name]).items()
        }
        with (self.folder / LABELS).open("wb") as file:
            np.savez(file, allow_pickle=False, **packed)
            fsync(file.fileno())
        with (self.folder / INDEX).open("w", encoding="utf-8") as text:
            labels = {name: asdict(count) for name, count in counts.items()}
            index = {
                "labels": labels,
                "flagged": asdict(flagged),
                "digests": [digest.hex() for digest in digests],
            }
            json.dump(index, text)
            text.flush()
            fsync(text.fileno())


class CachedSplit:
    """Samples in the files of a :class:`SplitWriter`; only samples that are read use memory.

    Attributes:
        counts: occurrences of each label and class.
        flagged: what reading the images lost.
        digests: digest of the pixels of each image.

    Args:
        folder: the folder.
        labels: all labels of the run.

    Raises:
        OSError: a file does not exist.
        ValueError: a file is damaged.
        KeyError: the files have other labels.
    """

    def __init__(self, folder: Path, labels: Mapping[str, LabelSpec]) -> None:
        self._arguments = (folder, dict(labels))
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self.counts = {name: _read_counts(index["labels"][name]) for name in labels}
        self.flagged = _read_flagged(index["flagged"])
        self.digests = tuple(map(bytes.fromhex, index["digests"]))
        self._images = ArrayFile(folder / IMAGES)
        with np.load(folder / LABELS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        self._columns = {
            name: LabelColumn(
                spec.form,
                _arrays_of_label(arrays, number),
                ArrayFile(folder / _dense_file(number)) if spec.form in DENSE_FORMS else None,
            )
            for number, (name, spec) in enumerate(labels.items())
        }

    def __len__(self) -> int:
        return len(self._images)

    def __reduce__(self) -> tuple[type[CachedSplit], tuple[Path, dict[str, LabelSpec]]]:
        # Another process opens the same files. Otherwise pickle would copy their content.
        return CachedSplit, self._arguments

    def get(self, index: int) -> PreparedSample:
        """Return one sample.

        Args:
            index: index of the sample.

        Returns:
            The sample.
        """
        labels = {name: column.get(index) for name, column in self._columns.items()}
        present = {name: value for name, value in labels.items() if value is not None}
        return PreparedSample(self._images[index], present)


def _arrays_of_label(arrays: Mapping[str, np.ndarray[Any, Any]], number: int) -> dict[str, Any]:
    prefix = f"{number}."
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _read_flagged(value: Mapping[str, Any]) -> ImageCounts:
    flagged = {
        name: FlaggedImages(item["count"], tuple(item["examples"]))
        for name, item in value.items()
        if name != "num_bands"
    }
    return ImageCounts(num_bands=value["num_bands"], **flagged)


def _read_counts(value: Mapping[str, Any]) -> LabelCounts:
    extent = value["extent"]
    return LabelCounts(**{**value, "extent": None if extent is None else (*extent,)})
