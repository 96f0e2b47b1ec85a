"""Drawing puts predictions at the right pixels and does not change the image."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from mtlsearch.images import Bands
from mtlsearch.labels import Form
from mtlsearch.prediction import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    NumberPrediction,
    OutputSpec,
    class_color,
    draw,
    side_by_side,
)
from mtlsearch.prediction._palette import viridis

CLASSES = ("background", "cat", "dog")


def _image(width=300, height=280):
    generator = np.random.default_rng(0)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))


def _box(*xyxy, score=0.9, label=1):
    return BoxesPrediction(
        np.array([xyxy], np.float32), np.array([label]), np.array([score], np.float32)
    )


def _predictions(width, height):
    half = np.zeros((height, width), np.uint8)
    half[:, width // 2 :] = 1
    scores = np.array([0.1, 0.7, 0.2], np.float32)
    values = np.linspace(0, 1, height * width, dtype=np.float32).reshape(1, height, width)
    return {
        Form.CATEGORY: CategoryPrediction(1, scores),
        Form.CATEGORIES: CategoriesPrediction((1, 2), scores),
        Form.BOXES: _box(width / 4, height / 4, width / 2, height / 2),
        Form.MASK: MaskPrediction(half),
        Form.NUMBER: NumberPrediction(71.3),
        Form.MAP: MapPrediction(values),
    }


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("size", [(300, 280), (40, 32), (20, 150)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_every_form_is_drawn_on_a_copy(form, size, mode):
    image = _image(*size).convert(mode)
    before = image.tobytes()
    picture = draw(OutputSpec(form, CLASSES, unit="m"), image, _predictions(*size)[form])
    assert image.tobytes() == before
    assert picture.mode == "RGB"
    assert min(picture.size) >= 256
    assert picture.width % image.width == 0


def test_box_is_drawn_at_its_pixels():
    image = Image.new("RGB", (64, 64), (0, 0, 0))
    picture = np.asarray(draw(OutputSpec(Form.BOXES, CLASSES), image, _box(16, 32, 48, 60)))
    frame = (picture[:256] == class_color(1)).all(axis=-1)
    rows, columns = np.nonzero(frame[140:])  # below the text label of the box
    assert columns.min() == 16 * 4
    assert columns.max() == 48 * 4 - 1
    assert rows.max() + 140 == 60 * 4 - 1


def test_boxes_of_a_single_class_have_no_name():
    image = Image.new("RGB", (64, 64), (0, 0, 0))
    tags = {}
    for classes in (("symptom",), ("symptom", "other")):
        output = OutputSpec(Form.BOXES, classes)
        picture = np.asarray(draw(output, image, _box(16, 40, 48, 60, score=1.0, label=0)))
        above = (picture[:150] == class_color(0)).all(axis=-1)  # the box starts at row 160
        tags[len(classes)] = int(above.sum())
    assert tags[1] == 0
    assert tags[2] > 0


def test_boxes_below_the_draw_threshold_are_hidden():
    image = Image.new("RGB", (256, 256), (0, 0, 0))
    output = OutputSpec(Form.BOXES, CLASSES)
    true = BoxesPrediction(
        np.array([[32, 64, 128, 160]], np.float32), np.array([1]), np.zeros(0, np.float32)
    )
    pictures = {
        "faint": draw(output, image, _box(32, 64, 128, 160, score=0.1)),
        "true": draw(output, image, true),
    }
    drawn = {name: np.asarray(picture)[:256].any() for name, picture in pictures.items()}
    assert drawn == {"faint": False, "true": True}


def test_mask_tints_all_classes_but_the_background():
    image = _image(256, 256)
    half = _predictions(256, 256)[Form.MASK]
    picture = np.asarray(draw(OutputSpec(Form.MASK, CLASSES), image, half))
    assert (picture[:256, :120] == np.asarray(image)[:, :120]).all()
    assert (picture[:256, 140:] != np.asarray(image)[:, 140:]).any(axis=-1).mean() > 0.9


def test_void_pixels_of_a_mask_are_gray():
    void = MaskPrediction(np.full((256, 256), 255, np.int32))
    picture = np.asarray(draw(OutputSpec(Form.MASK, CLASSES), Image.new("RGB", (256, 256)), void))
    assert set(np.unique(picture[:256])) == {64}


def test_largest_number_of_a_map_is_yellow_and_void_is_gray():
    values = np.zeros((1, 256, 256), np.float32)
    values[0, 10, 20], values[0, 0, 0] = 7, np.nan
    picture = draw(OutputSpec(Form.MAP), Image.new("RGB", (256, 256)), MapPrediction(values))
    assert picture.getpixel((20, 10)) == (253, 231, 37)
    assert picture.getpixel((0, 0)) == (128, 128, 128)


def test_map_without_a_finite_number_is_gray():
    values = np.full((1, 64, 64), np.nan, np.float32)
    picture = draw(OutputSpec(Form.MAP), Image.new("RGB", (64, 64)), MapPrediction(values))
    assert picture.getpixel((5, 5)) == (128, 128, 128)


def test_viridis_matches_matplotlib():
    values = np.linspace(0, 1, 301)
    expected = colormaps["viridis"](values)[:, :3] * 255
    assert np.abs(viridis(values) - expected).max() < 6


def test_class_colors_are_unique():
    assert len({class_color(index) for index in range(150)}) == 150


def test_side_by_side_fills_rows_evenly():
    panels = [(str(panel), Image.new("RGB", (100, 50))) for panel in range(5)]
    row = side_by_side(panels[:3])
    grid = side_by_side(panels, columns=3)
    assert grid.width == row.width
    assert grid.height == 2 * row.height
    assert side_by_side([("wide", Image.new("RGB", (5000, 10)))]).width < 700


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("size", [(12000, 8), (20000, 4), (4, 20000), (1, 90000), (7000, 6000)])
def test_drawn_picture_has_a_bound_at_any_aspect(form, size):
    image = Image.new("RGB", size)
    picture = draw(OutputSpec(form, CLASSES), image, _predictions(*size)[form])
    assert picture.width * picture.height < 30_000_000
    assert max(picture.size) <= 9 * max(256, min(picture.size))
    grid = side_by_side([("input", image), ("task", picture)])
    assert max(grid.size) <= 10 * 640 + 100
    assert min(grid.size) >= 80


def test_boxes_on_a_strip_are_compressed_along_it():
    image = Image.new("RGB", (8000, 8), (0, 0, 0))
    picture = np.asarray(draw(OutputSpec(Form.BOXES, CLASSES), image, _box(2000, 0, 6000, 8)))
    frame = (picture[:256] == class_color(1)).all(axis=-1)
    _, columns = np.nonzero(frame[128:129])
    assert picture.shape[1] == 2048
    assert (columns.min(), columns.max()) == (512, 1535)


def test_bands_are_drawn_as_their_first_three():
    values = np.random.default_rng(0).integers(0, 256, (6, 280, 300), np.uint8)
    spec, prediction = OutputSpec(Form.CATEGORY, CLASSES), _predictions(300, 280)[Form.CATEGORY]
    colors = Image.fromarray(values[:3].transpose(1, 2, 0).copy())
    expected = draw(spec, colors, prediction)
    assert draw(spec, Bands(values), prediction).tobytes() == expected.tobytes()
