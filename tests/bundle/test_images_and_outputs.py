"""Preprocessing of images for a bundle and writing of its predictions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from mtlsearch.bundle import Preprocessing, read_image, save_outputs
from mtlsearch.errors import DataError
from mtlsearch.labels import Form
from mtlsearch.prediction import CategoryPrediction, MapPrediction, MaskPrediction, OutputSpec


def test_preprocessing_matches_torchvision():
    generator = np.random.default_rng(0)
    image = Image.fromarray(generator.integers(0, 256, (61, 90, 3), np.uint8))
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
    expected = v2.Compose(
        [
            v2.Resize((32, 40)),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean, std),
        ]
    )(image)
    actual = Preprocessing((32, 40), mean, std)(image)
    assert actual.dtype == np.float32
    assert np.allclose(actual, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_preprocessing_accepts_any_image_mode(mode):
    pixels = Preprocessing((8, 8), (0, 0, 0), (1, 1, 1))(Image.new(mode, (5, 9)))
    assert pixels.shape == (3, 8, 8)


def test_read_image_applies_the_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "rotated.jpg", exif=exif)
    assert read_image(tmp_path / "rotated.jpg").size == (20, 40)


def test_read_image_reports_broken_images(tmp_path):
    whole = tmp_path / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("no image")
    for name, reason in (
        ("cut.png", "cannot be decoded"),
        ("text.jpg", "is not in a known image format"),
        ("missing.jpg", "is missing"),
        ("text.jpg/below.jpg", "is missing"),
        (".", "is a folder, expected a file"),
    ):
        with pytest.raises(DataError, match=reason) as caught:
            read_image(tmp_path / name)
        assert str(tmp_path / name) in caught.value.what
        assert "Errno" not in caught.value.what


def test_save_outputs_writes_masks_and_maps_unchanged(tmp_path):
    indices = np.arange(20, dtype=np.uint8).reshape(4, 5) % 3
    values = np.linspace(0, 1, 20, dtype=np.float32).reshape(1, 4, 5)
    classes = ("a", "b", "c")
    tasks = {
        "outline": OutputSpec(Form.MASK, classes),
        "depth": OutputSpec(Form.MAP, unit="m"),
        "scene": OutputSpec(Form.CATEGORY, classes),
    }
    predictions = {
        "outline": MaskPrediction(indices),
        "depth": MapPrediction(values),
        "scene": CategoryPrediction(1, np.array([0, 1, 0], np.float32)),
    }
    image = Image.new("RGB", (5, 4))
    files = save_outputs(tmp_path / "new", "street", tasks, image, predictions)
    assert {task: file.name for task, file in files.items()} == {
        "": "street.png",
        "outline": "street.outline.png",
        "depth": "street.depth.npy",
    }
    with Image.open(files["outline"]) as mask:
        assert (np.asarray(mask) == indices).all()
    assert (np.load(files["depth"], allow_pickle=False) == values).all()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        file.name for file in files.values()
    )


def test_save_outputs_keeps_indices_above_255(tmp_path):
    indices = np.array([[0, 299]], np.int32)
    tasks = {"outline": OutputSpec(Form.MASK, tuple(map(str, range(300))))}
    files = save_outputs(
        tmp_path, "many", tasks, Image.new("RGB", (2, 1)), {"outline": MaskPrediction(indices)}
    )
    with Image.open(files["outline"]) as mask:
        assert (np.asarray(mask) == indices).all()
