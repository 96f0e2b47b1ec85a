"""Training, check and bundle read every image by the same rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mtlsearch.bundle import Preprocessing, read_image
from mtlsearch.data import DATA_WARNINGS, data_warnings
from mtlsearch.images import AnyImage, Bands, PixelFormat, resize_image
from mtlsearch.labels import LabelSpec, Sample
from mtlsearch.plugin import DatasetSource, Settings
from mtlsearch.plugin import read_image as read_for_training
from tests.data.fake import LABELS, Fake, opened, square

MODES = {
    **dict.fromkeys(["1", "L", "P", "LA", "PA", "La"], ".tif"),
    **dict.fromkeys(["RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"], ".tif"),
    **dict.fromkeys(["I;16", "I;16L", "I;16B", "I;16N", "I", "F"], ".tif"),
}
ORIENTATION = 0x0112
FORMATS = (
    PixelFormat(),
    PixelFormat("rgba"),
    PixelFormat(1),
    PixelFormat(pixel_range=(-7.5, 40_000)),
    PixelFormat("rgba", (0, 4095)),
)


@st.composite
def noise_images(draw: st.DrawFn) -> Image.Image:
    """Return an image of noise in any mode, of any size, with and without transparency."""
    mode = draw(st.sampled_from(sorted(MODES)))
    width, height = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if mode == "F":
        return Image.fromarray(rng.normal(0, 5000, (height, width)).astype(np.float32))
    if mode == "I":
        return Image.fromarray(rng.integers(-9, 70_000, (height, width)).astype(np.int32))
    empty = Image.new(mode, (width, height))
    image = Image.frombytes(mode, empty.size, rng.bytes(len(empty.tobytes())))
    if mode in ("P", "PA"):
        image.putpalette(rng.bytes(768))
    if mode == "P" and draw(st.booleans()):
        image.info["transparency"] = rng.bytes(256)
    return image


def _needs_range(image: Image.Image, pixels: PixelFormat) -> bool:
    return image.mode in ("I", "F") and pixels.pixel_range == "auto"


def _of_bundle(image: AnyImage, pixels: PixelFormat) -> Any:
    count = pixels.num_channels
    rule = Preprocessing(
        (48, 64), (0.0,) * count, (1 / 255,) * count, pixels.channels, pixels.pixel_range
    )
    # The form of the manifest: what is not in JSON is not in a bundle.
    assert rule.pixel_format == PixelFormat(
        *json.loads(json.dumps([rule.channels])),
        tuple(rule.pixel_range) if rule.pixel_range != "auto" else "auto",
    )
    return rule(image)


def _of_training(source: DatasetSource, pixels: PixelFormat) -> torch.Tensor:
    data = opened(source, channels=pixels.channels, pixel_range=pixels.pixel_range, cache=None)
    data.check(splits=["val"]).raise_if_bad()
    (batch,) = data.eval_batches("val", 1)
    mean, std = data.preprocessing.mean, data.preprocessing.std
    shape = (-1, 1, 1)
    numbers = batch.images[0] * torch.tensor(std).view(shape) + torch.tensor(mean).view(shape)
    return (numbers * 255).round().to(torch.uint8)


@given(noise_images(), st.sampled_from(FORMATS))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_training_gets_the_pixels_of_the_bundle(image: Image.Image, pixels: PixelFormat) -> None:
    if _needs_range(image, pixels):
        return
    trained = _of_training(Fake({"train": [square()], "val": [Sample(image)]}), pixels)
    assert np.array_equal(trained.numpy(), np.rint(_of_bundle(image, pixels)))


@given(noise_images(), st.sampled_from([None, *range(1, 9)]), st.sampled_from([".tif", ".png"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_files_are_read_alike_by_source_and_bundle(
    tmp_path_factory: pytest.TempPathFactory,
    image: Image.Image,
    orientation: int | None,
    suffix: str,
) -> None:
    path = tmp_path_factory.mktemp("images") / f"x{suffix}"
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    try:
        image.save(path, exif=exif)
    except OSError:
        return  # the format cannot hold the mode
    source = Fake({"train": [square()], "val": [Sample(read_for_training(path, "row 1"))]})
    pixels = PixelFormat(pixel_range=(-7.5, 40_000))
    trained = _of_training(source, pixels)
    assert np.array_equal(trained.numpy(), np.rint(_of_bundle(read_image(path), pixels)))
    is_turned = orientation is not None and orientation >= 5
    assert read_image(path).size == (image.size[::-1] if is_turned else image.size)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_16_bit_files_are_trained_as_they_are_predicted(tmp_path: Path, dtype: str) -> None:
    """Pillow alone clips 16 bits to white."""
    top = np.iinfo(dtype).max
    ramp = np.linspace(0, top, 48 * 64).astype(dtype).reshape(48, 64)
    Image.fromarray(ramp).save(tmp_path / "x.png")
    image = read_for_training(tmp_path / "x.png", "row 1")
    trained = _of_training(Fake({"train": [square()], "val": [Sample(image)]}), PixelFormat())
    assert np.array_equal(trained[0].numpy(), np.rint(ramp / top * 255))


@pytest.mark.parametrize("channels", ["rgba", 1, 2, 4, 6])
def test_batches_have_the_channels_of_the_run(channels: str | int, tmp_path: Path) -> None:
    count = 4 if channels == "rgba" else int(channels)
    values = np.random.default_rng(0).integers(0, 256, (8, count, 50, 70), np.uint8)
    samples = [Sample(Bands(value), {"kind": row % 3}) for row, value in enumerate(values)]
    source = _Files({"train": samples[:5], "val": samples[5:]}, LABELS)
    for _ in range(2):  # the second reads the cache
        data = opened(source, channels=channels, cache=str(tmp_path))
        data.check().raise_if_bad()
        (batch,) = data.train_batches(0, 5)
        assert batch.images.shape == (5, count, 48, 64)
        (batch,) = data.eval_batches("val", 5)
        expected = torch.from_numpy(data.preprocessing(Bands(values[5])))
        assert torch.allclose(batch.images[0], expected, atol=1e-6)
        assert len(data.preprocessing.mean) == count


def test_jitter_keeps_bands_that_are_not_colors() -> None:
    values = np.random.default_rng(0).integers(0, 256, (1, 4, 48, 64), np.uint8)
    train = [Sample(Bands(values[0]), {"kind": 0})]
    augment = {"crop": None, "flip": 0, "jitter": 0.5}
    for channels, changed in (("rgba", [True] * 3 + [False]), (4, [False] * 4)):
        data = opened(
            Fake({"train": train, "val": train}, LABELS), channels=channels, augment=augment
        )
        (trained,), (evaluated,) = data.train_batches(0, 1), data.eval_batches("val", 1)
        differs = (trained.images - evaluated.images).abs().amax((0, 2, 3)) > 1e-3
        assert differs.tolist() == changed


def test_lost_bands_and_contrast_are_warned_of_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rgba = [
        Sample(Image.fromarray(rng.integers(0, 256, (48, 64, 4), np.uint8)), {"kind": 0})
        for _ in range(5)
    ]
    dark = [
        Sample(Bands(rng.integers(0, 4096, (1, 48, 64)).astype(np.uint16)), {"kind": 1})
        for _ in range(4)
    ]
    source = _Files({"train": [*rgba, square(2)], "val": dark}, LABELS)
    messages = []
    for reread in (True, False):  # `check` and, from the cache, `search`
        data = opened(source, cache=str(tmp_path))
        report = data.check(reread=reread)
        warnings = data_warnings(report, data.labels, {"sort": "kind"})
        messages.append([text for text in warnings if "contrast" in text or "bands" in text])
    assert messages[0] == messages[1]
    flat, dropped = messages[0]
    assert flat.startswith("4 images have hardly any contrast")
    assert "val row 2 and 1 more; set `data.pixel_range`" in flat
    assert dropped.startswith("5 images have bands that the network does not get")
    assert "train row 2 and 2 more; set `data.channels: rgba`" in dropped
    data = opened(source, channels="rgba", pixel_range=(0, 4095), cache=None)
    warnings = data_warnings(data.check(), data.labels, {"sort": "kind"})
    assert not [text for text in warnings if "contrast" in text or "bands" in text]
    assert {"low contrast", "dropped bands"} <= {warning.name for warning in DATA_WARNINGS}


def test_images_without_a_range_are_problems() -> None:
    image = Image.fromarray(np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64))
    source = Fake({"train": [square()], "val": [Sample(image, {"kind": 0})]})
    (problem,) = opened(source).check().problems
    assert "float32 numbers from 0 to 1" in str(problem)
    assert "data.pixel_range" in str(problem)
    assert not opened(source, pixel_range=[0, 1]).check().problems


def test_alpha_does_not_change_the_colors_when_resized() -> None:
    values = np.random.default_rng(0).integers(0, 256, (4, 90, 70), np.uint8)
    rgba = Image.fromarray(values.transpose(1, 2, 0))
    with_alpha = resize_image(PixelFormat("rgba").apply(rgba), (48, 64))
    assert np.array_equal(with_alpha[:3], resize_image(PixelFormat().apply(rgba), (48, 64)))


class _Files(Fake):
    """Samples that depend on a file, so that they are cached on disk."""

    def __init__(self, splits: Mapping[str, list[Sample]], labels: Mapping[str, LabelSpec]) -> None:
        super().__init__(splits, labels)

    def files(self, split: str, index: int) -> list[Path]:
        return [Path(__file__)]

    Settings = Settings
