"""Pictures: something is drawn, where it should be, and the image stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from mtlsearch.labels import Form
from mtlsearch.prediction import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    OutputSpec,
    class_colour,
    draw,
    side_by_side,
)
from mtlsearch.prediction._palette import perceptual

CLASSES = ("background", "cat", "dog")


def _image(width=300, height=280):
    chance = np.random.default_rng(0)
    return Image.fromarray(chance.integers(0, 256, (height, width, 3), np.uint8))


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
        Form.MAP: MapPrediction(values),
    }


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("size", [(300, 280), (40, 32), (20, 150)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_every_form_is_drawn_on_any_image_which_stays_as_it_was(form, size, mode):
    image = _image(*size).convert(mode)
    before = image.tobytes()
    picture = draw(OutputSpec(form, CLASSES, unit="m"), image, _predictions(*size)[form])
    assert image.tobytes() == before
    assert picture.mode == "RGB"
    assert min(picture.size) >= 256
    assert picture.width % image.width == 0


def test_a_box_stands_where_it_was_found():
    image = Image.new("RGB", (64, 64), (0, 0, 0))
    picture = np.asarray(draw(OutputSpec(Form.BOXES, CLASSES), image, _box(16, 32, 48, 60)))
    frame = (picture[:256] == class_colour(1)).all(axis=-1)
    rows, columns = np.nonzero(frame[140:])  # below the text on top of the box
    assert columns.min() == 16 * 4
    assert columns.max() == 48 * 4 - 1
    assert rows.max() + 140 == 60 * 4 - 1


def test_faint_boxes_are_not_drawn_but_true_ones_without_scores_are():
    image = Image.new("RGB", (256, 256), (0, 0, 0))
    output = OutputSpec(Form.BOXES, CLASSES)
    true = BoxesPrediction(
        np.array([[32, 64, 128, 160]], np.float32), np.array([1]), np.zeros(0, np.float32)
    )
    pictures = {
        "faint": draw(output, image, _box(32, 64, 128, 160, score=0.1)),
        "true": draw(output, image, true),
    }
    drawn = {name: np.asarray(at)[:256].any() for name, at in pictures.items()}
    assert drawn == {"faint": False, "true": True}


def test_a_mask_tints_its_classes_and_leaves_the_background():
    image = _image(256, 256)
    half = _predictions(256, 256)[Form.MASK]
    picture = np.asarray(draw(OutputSpec(Form.MASK, CLASSES), image, half))
    assert (picture[:256, :120] == np.asarray(image)[:, :120]).all()
    assert (picture[:256, 140:] != np.asarray(image)[:, 140:]).any(axis=-1).mean() > 0.9


def test_void_pixels_of_a_true_mask_are_drawn_grey():
    void = MaskPrediction(np.full((256, 256), 255, np.int32))
    picture = np.asarray(draw(OutputSpec(Form.MASK, CLASSES), Image.new("RGB", (256, 256)), void))
    assert set(np.unique(picture[:256])) == {64}


def test_the_largest_number_of_a_map_is_yellow_and_unknown_ones_grey():
    values = np.zeros((1, 256, 256), np.float32)
    values[0, 10, 20], values[0, 0, 0] = 7, np.nan
    picture = draw(OutputSpec(Form.MAP), Image.new("RGB", (256, 256)), MapPrediction(values))
    assert picture.getpixel((20, 10)) == (253, 231, 37)
    assert picture.getpixel((0, 0)) == (128, 128, 128)


def test_a_map_without_a_single_number_is_drawn():
    values = np.full((1, 64, 64), np.nan, np.float32)
    picture = draw(OutputSpec(Form.MAP), Image.new("RGB", (64, 64)), MapPrediction(values))
    assert picture.getpixel((5, 5)) == (128, 128, 128)


def test_the_colours_of_numbers_are_viridis():
    values = np.linspace(0, 1, 301)
    expected = colormaps["viridis"](values)[:, :3] * 255
    assert np.abs(perceptual(values) - expected).max() < 6


def test_classes_have_colours_of_their_own():
    assert len({class_colour(at) for at in range(150)}) == 150


def test_panels_stand_in_even_rows():
    panels = [(str(at), Image.new("RGB", (100, 50))) for at in range(5)]
    row = side_by_side(panels[:3])
    grid = side_by_side(panels, columns=3)
    assert grid.width == row.width
    assert grid.height == 2 * row.height
    assert side_by_side([("wide", Image.new("RGB", (5000, 10)))]).width < 700
