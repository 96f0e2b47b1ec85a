"""Tests of contact sheets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mtlsearch_plugins.scenes import Scenes
from PIL import Image

from mtlsearch.config import DataConfig
from mtlsearch.data import DataModule, open_data
from mtlsearch.errors import DataError
from mtlsearch.images import Bands
from mtlsearch.labels import Sample
from mtlsearch.report import contact_sheet
from tests.data.fake import Fake, opened, square

TITLES = 35
"""Height of the row of titles in pixels."""


def scenes(**settings: object) -> DataModule:
    source = Scenes(Scenes.Settings.model_validate(settings), root=Path(), seed=0)
    config = DataConfig.model_validate({"sources": {"kind": "scenes"}, "image_size": 32})
    return open_data([source], config, mean=(0.5,) * 3, std=(0.5,) * 3, seed=0)


def test_contact_sheet_has_rows_and_columns() -> None:
    data = scenes(train=6, val=2)
    two, four = (contact_sheet(data, "train", count, 0) for count in (2, 4))
    assert two.width == four.width
    assert four.height > 1.7 * two.height
    assert two.width > 4 * 256


def test_contact_sheet_has_at_most_all_samples() -> None:
    data = scenes(train=6, val=2)
    assert contact_sheet(data, "val", 9, 0).size == contact_sheet(data, "val", 2, 0).size


def test_contact_sheet_without_excludes_samples() -> None:
    data = scenes(train=3, val=2)
    sheets = [contact_sheet(data, "train", 9, 0, without=bad) for bad in ((), (1,))]
    alone = [contact_sheet(data, "train", 9, 0, without={0, 1, 2} - {index}) for index in range(3)]
    heights = [sheet.height - TITLES for sheet in alone]
    assert sheets[0].height - TITLES == sum(heights)
    assert sheets[1].height - TITLES == heights[0] + heights[2]
    with pytest.raises(DataError, match="no valid image"):
        contact_sheet(data, "train", 9, 0, without=range(3))


def test_contact_sheet_depends_only_on_the_seed() -> None:
    data = scenes(train=30, val=2)
    sheets = [np.asarray(contact_sheet(data, "train", 2, seed)) for seed in (0, 0, 1)]
    assert np.array_equal(sheets[0], sheets[1])
    assert sheets[0].shape != sheets[2].shape or not np.array_equal(sheets[0], sheets[2])


def test_contact_sheet_missing_label_is_an_empty_cell() -> None:
    data = scenes(train=4, val=2, missing=1.0)
    sheet = np.asarray(contact_sheet(data, "train", 1, 0))
    blank = sheet[40:300, 400:]
    assert (blank == (236, 238, 241)).all(axis=-1).mean() > 0.8


def test_contact_sheet_reduces_large_images() -> None:
    data = scenes(train=1, val=1, image_size=400)
    (sample,) = data.samples("train", [0])
    assert sample.image.size == (400, 400)
    assert contact_sheet(data, "train", 1, 0).height < 500
    assert replace(sample).labels.keys() == {"scene", "objects", "shapes"}


@pytest.mark.parametrize("size", [(12000, 8), (4, 20000), (300, 60000)])
def test_contact_sheet_has_a_bound_at_any_aspect(size: tuple[int, int]) -> None:
    sample = Sample(Image.new("RGB", size), {"mask": np.zeros(size[::-1], np.uint8), "kind": 1})
    sheet = contact_sheet(opened(Fake({"train": [sample], "val": [square()]})), "train", 1, 0)
    assert sheet.height < 10 * 320 + 100


def test_contact_sheet_shows_the_first_three_bands() -> None:
    values = np.zeros((6, 60, 80), np.uint8)
    values[1] = 200
    source = Fake({"train": [Sample(Bands(values), {"kind": 1})], "val": [square()]})
    sheet = np.asarray(contact_sheet(opened(source, channels=6), "train", 1, 0))
    assert (sheet == (0, 200, 0)).all(axis=-1).sum() > 10_000
