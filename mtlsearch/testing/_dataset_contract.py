"""The contract of a data set source, as tests."""

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
    """What every data set source must do.

    Subclass it in a test module, name the class ``Test...`` and say how to open a source::

        class TestMine(DatasetContract):
            def make_source(self, folder: Path) -> DatasetSource:
                write_some_files(folder)
                return Mine(Mine.Settings(), root=folder, seed=0)

    Attributes:
        samples: how many images of each split are read.
    """

    samples = 8

    def make_source(self, folder: Path) -> DatasetSource:
        """Open a source that has at least two training images.

        Args:
            folder: where its files may be written; called twice with the same folder.
        """
        raise NotImplementedError("say how to open a source")

    @pytest.fixture
    def source(self, tmp_path: Path) -> DatasetSource:
        """The source under test."""
        return self.make_source(tmp_path)

    def test_it_introduces_itself(self, source: DatasetSource) -> None:
        """Name, one line, and a description of every setting."""
        assert source.name
        assert source.name == source.name.strip().lower()
        assert source.summary
        assert "\n" not in source.summary
        for name, field in source.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    def test_labels_are_well_formed(self, source: DatasetSource) -> None:
        """Classes where the form has classes, each once."""
        assert source.labels
        for name, spec in source.labels.items():
            assert bool(spec.classes) == (spec.form is not Form.MAP), name
            assert len(set(spec.classes)) == len(spec.classes), name
            assert all(isinstance(text, str) and text for text in spec.classes), name

    def test_labels_and_sizes_are_the_same_every_time(
        self, source: DatasetSource, tmp_path: Path
    ) -> None:
        """Asking twice, and opening twice, gives the same, in the same order."""
        again = self.make_source(tmp_path)
        assert list(source.labels.items()) == list(source.labels.items())
        assert list(source.labels.items()) == list(again.labels.items())
        for split in SPLITS:
            assert source.size(split) == again.size(split)

    def test_sizes_are_counts(self, source: DatasetSource) -> None:
        """There is something to train on; a split that does not exist is empty."""
        assert source.size("train") >= 2
        assert all(source.size(split) >= 0 for split in SPLITS)
        assert source.size("no such split") == 0

    def test_samples_are_valid(self, source: DatasetSource) -> None:
        """RGB images, labels of the promised forms that fit them."""
        for split, index in self._some(source):
            sample = source.read(split, index)
            assert problems_of(sample, source.labels) == (), source.locate(split, index)

    def test_missing_labels_are_absent(self, source: DatasetSource) -> None:
        """A label that an image lacks is not in its sample; None never is."""
        for split, index in self._some(source):
            labels = source.read(split, index).labels
            assert set(labels) <= set(source.labels)
            assert all(value is not None for value in labels.values())

    def test_reading_is_deterministic(self, source: DatasetSource, tmp_path: Path) -> None:
        """The same image and labels again, in any order, from another instance too."""
        again = self.make_source(tmp_path)
        for split, index in reversed(list(self._some(source))):
            first, second = source.read(split, index), again.read(split, index)
            third = source.read(split, index)
            for other in (second, third):
                assert first.image.tobytes() == other.image.tobytes()
                assert list(first.labels) == list(other.labels)
                for name, value in first.labels.items():
                    assert _equal(value, other.labels[name]), name

    def test_every_image_has_a_place_of_its_own(self, source: DatasetSource) -> None:
        """No two images, of one split or of two, are located at the same place."""
        places = [
            source.locate(split, index) for split in SPLITS for index in range(source.size(split))
        ]
        assert all(places)
        assert len(set(places)) == len(places)

    def test_files_are_named_alike_every_time(self, source: DatasetSource, tmp_path: Path) -> None:
        """Of an image that is read from files at least one is there; else none is named."""
        again = self.make_source(tmp_path)
        for split, index in self._some(source):
            files = source.files(split, index)
            assert files == again.files(split, index)
            assert files is None or any(file.is_file() for file in files)

    def test_bad_index_raises(self, source: DatasetSource) -> None:
        """There is no image beyond the last and none before the first."""
        for index in (source.size("train"), -1):
            with pytest.raises((IndexError, DataError)):
                source.read("train", index)

    def test_survives_a_journey_to_another_process(self, source: DatasetSource) -> None:
        """Worker processes are sent a pickled copy where they cannot be forked."""
        copy = pickle.loads(pickle.dumps(source))
        there, here = copy.read("train", 0), source.read("train", 0)
        assert there.image.tobytes() == here.image.tobytes()

    def test_gives_batches(self, source: DatasetSource) -> None:
        """The host makes batches of it, with targets for the images that have labels."""
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
        for split in SPLITS:
            for index in range(min(self.samples, source.size(split))):
                yield split, index


def _equal(one: RawLabel, other: RawLabel) -> bool:
    if isinstance(one, Boxes) and isinstance(other, Boxes):
        return (
            np.array_equal(one.xyxy, other.xyxy)
            and np.array_equal(one.classes, other.classes)
            and np.array_equal(one.crowd, other.crowd)
        )
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return type(one) is type(other) and bool(one == other)
