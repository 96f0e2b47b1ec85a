"""Contract of a data source, as tests."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mtlsearch.config import DataConfig
from mtlsearch.data import open_data, problems_of
from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes, Form, RawLabel
from mtlsearch.plugin import DatasetSource

SPLITS = ("train", "val", "test")


class DatasetContract:
    """Tests that every data source must pass.

    Subclass it in a test module, start the name of the class with ``Test`` and open a source::

        class TestMine(DatasetContract):
            def make_source(self, folder: Path) -> DatasetSource:
                write_some_files(folder)
                return Mine(Mine.Settings(), root=folder, seed=0)

    Attributes:
        samples: number of images to read per split.
    """

    samples = 8

    def make_source(self, folder: Path) -> DatasetSource:
        """Open a source that has at least two training images.

        Args:
            folder: folder for its files; the method is called twice with the same folder.

        Returns:
            The source.

        Raises:
            NotImplementedError: the subclass does not override the method.
        """
        raise NotImplementedError("override make_source to open a source")

    @pytest.fixture
    def source(self, tmp_path: Path) -> DatasetSource:
        """Return the source under test.

        Args:
            tmp_path: folder for its files.

        Returns:
            A new source.
        """
        return self.make_source(tmp_path)

    def test_name_and_descriptions_are_set(self, source: DatasetSource) -> None:
        """Check the name, the summary and the description of every setting."""
        assert source.name
        assert source.name == source.name.strip().lower()
        assert source.summary
        assert "\n" not in source.summary
        for name, field in source.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    def test_labels_are_well_formed(self, source: DatasetSource) -> None:
        """Check that every label except numbers and maps has unique class names."""
        assert source.labels
        for name, spec in source.labels.items():
            assert bool(spec.classes) == (spec.form not in (Form.NUMBER, Form.MAP)), name
            assert len(set(spec.classes)) == len(spec.classes), name
            assert all(isinstance(text, str) and text for text in spec.classes), name

    def test_labels_and_sizes_are_stable(self, source: DatasetSource, tmp_path: Path) -> None:
        """Check that two calls and two instances give the same labels in the same order."""
        reopened = self.make_source(tmp_path)
        assert list(source.labels.items()) == list(source.labels.items())
        assert list(source.labels.items()) == list(reopened.labels.items())
        for split in SPLITS:
            assert source.size(split) == reopened.size(split)

    def test_split_sizes_are_counts(self, source: DatasetSource) -> None:
        """Check that there are training images, and that an unknown split is empty."""
        assert source.size("train") >= 2
        assert all(source.size(split) >= 0 for split in SPLITS)
        assert source.size("no such split") == 0

    def test_samples_are_valid(self, source: DatasetSource) -> None:
        """Check that images are RGB and that labels match their specification."""
        for split, index in self._some(source):
            sample = source.read(split, index)
            assert problems_of(sample, source.labels) == (), source.locate(split, index)

    def test_missing_labels_have_no_entry(self, source: DatasetSource) -> None:
        """Check that samples have only declared labels, and none that is None."""
        for split, index in self._some(source):
            labels = source.read(split, index).labels
            assert set(labels) <= set(source.labels)
            assert all(value is not None for value in labels.values())

    def test_read_is_deterministic(self, source: DatasetSource, tmp_path: Path) -> None:
        """Check equal samples in another order and from another instance."""
        reopened = self.make_source(tmp_path)
        for split, index in reversed(list(self._some(source))):
            first, second = source.read(split, index), reopened.read(split, index)
            third = source.read(split, index)
            for sample in (second, third):
                assert first.image.tobytes() == sample.image.tobytes()
                assert list(first.labels) == list(sample.labels)
                for name, value in first.labels.items():
                    assert _equal(value, sample.labels[name]), name

    def test_locations_are_unique(self, source: DatasetSource) -> None:
        """Check that two images, of one split or of two, have different locations."""
        locations = [
            source.locate(split, index) for split in SPLITS for index in range(source.size(split))
        ]
        assert all(locations)
        assert len(set(locations)) == len(locations)

    def test_files_are_stable(self, source: DatasetSource, tmp_path: Path) -> None:
        """Check that two instances return the same files, of which at least one exists."""
        reopened = self.make_source(tmp_path)
        for split, index in self._some(source):
            files = source.files(split, index)
            assert files == reopened.files(split, index)
            assert files is None or any(file.is_file() for file in files)

    def test_written_labels_are_stable(self, source: DatasetSource, tmp_path: Path) -> None:
        """Check that two instances return the same written labels, without absolute paths."""
        reopened = self.make_source(tmp_path)
        for split, index in self._some(source):
            written = source.written_labels(split, index)
            assert written == reopened.written_labels(split, index)
            assert written is None or str(tmp_path).encode() not in written

    def test_groups_are_stable_names(self, source: DatasetSource, tmp_path: Path) -> None:
        """Check that two instances return the same groups, which are texts or None."""
        reopened = self.make_source(tmp_path)
        for split, index in self._some(source):
            group = source.group(split, index)
            assert group is None or (isinstance(group, str) and group)
            assert group == reopened.group(split, index)

    def test_index_out_of_range_raises(self, source: DatasetSource) -> None:
        """Check the index after the last image and the index -1."""
        for index in (source.size("train"), -1):
            with pytest.raises((IndexError, DataError)):
                source.read("train", index)

    def test_pickled_source_reads_the_same(self, source: DatasetSource) -> None:
        """Check that worker processes can get a pickled copy."""
        copy = pickle.loads(pickle.dumps(source))
        copied, original = copy.read("train", 0), source.read("train", 0)
        assert copied.image.tobytes() == original.image.tobytes()

    def test_source_gives_training_batches(self, source: DatasetSource) -> None:
        """Check a batch with targets for the images that have labels."""
        config = DataConfig.model_validate(
            {"sources": {"kind": source.name}, "image_size": 32, "max_images": self.samples}
        )
        data = open_data([source], config, mean=(0.5,) * 3, std=(0.5,) * 3, seed=0)
        data.check().raise_if_bad()
        batch = next(data.train_batches(0, 2))
        assert batch.images.shape == (2, 3, 32, 32)
        assert bool(batch.images.isfinite().all())
        for targets in batch.targets.values():
            assert len(targets.rows) == len(targets.values) >= 1

    def _some(self, source: DatasetSource) -> Iterator[tuple[str, int]]:
        """Yield split and index of the first images of each split."""
        for split in SPLITS:
            for index in range(min(self.samples, source.size(split))):
                yield split, index


def _equal(first: RawLabel, second: RawLabel) -> bool:
    if isinstance(first, Boxes) and isinstance(second, Boxes):
        return (
            np.array_equal(first.xyxy, second.xyxy)
            and np.array_equal(first.classes, second.classes)
            and np.array_equal(first.crowd, second.crowd)
        )
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    return type(first) is type(second) and bool(first == second)
