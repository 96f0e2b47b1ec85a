"""What goes into a bundle and what is written of what comes out."""

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


def test_preprocessing_is_torchvisions():
    chance = np.random.default_rng(0)
    image = Image.fromarray(chance.integers(0, 256, (61, 90, 3), np.uint8))
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
    expected = v2.Compose(
        [
            v2.Resize((32, 40)),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean, std),
        ]
    )(image)
    found = Preprocessing((32, 40), mean, std)(image)
    assert found.dtype == np.float32
    assert np.allclose(found, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_any_mode_of_picture_is_taken(mode):
    found = Preprocessing((8, 8), (0, 0, 0), (1, 1, 1))(Image.new(mode, (5, 9)))
    assert found.shape == (3, 8, 8)


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").size == (20, 40)


def test_bad_pictures_are_named(tmp_path):
    whole = tmp_path / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("no picture")
    for name, what in (
        ("cut.png", "not a picture that can be read"),
        ("text.jpg", "not a picture that can be read"),
        ("missing.jpg", "there is no such file"),
        ("text.jpg/below.jpg", "there is no such file"),
        (".", "this is a folder, not a picture"),
    ):
        with pytest.raises(DataError, match=what) as caught:
            read_image(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
        assert "Errno" not in caught.value.what


def test_masks_and_maps_are_written_as_they_are(tmp_path):
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


def test_indices_beyond_255_survive(tmp_path):
    indices = np.array([[0, 299]], np.int32)
    tasks = {"outline": OutputSpec(Form.MASK, tuple(map(str, range(300))))}
    files = save_outputs(
        tmp_path, "many", tasks, Image.new("RGB", (2, 1)), {"outline": MaskPrediction(indices)}
    )
    with Image.open(files["outline"]) as mask:
        assert (np.asarray(mask) == indices).all()
