"""Pixel format: every mode of Pillow becomes the bands that the rule states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mtlsearch.errors import DataError
from mtlsearch.images import Bands, PixelFormat, contrast, resize_image, to_rgb

EIGHT_BITS = ("1", "L", "P", "LA", "PA", "La", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr")
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


def _noise(dtype: str, *shape: int) -> np.ndarray:
    numbers = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, endpoint=True)
    return numbers.astype(dtype)


@given(st.integers(0, 65535))
def test_16_bits_are_scaled_to_the_nearest_of_256(number: int) -> None:
    (band,) = PixelFormat(1).apply(Bands(np.array([[[number]]], np.uint16))).values
    assert band[0, 0] == (number + 128) // 257


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.floats(-1e3, 1e3))
def test_pixel_range_clips_and_keeps_the_order(numbers: list[float], low: float) -> None:
    (band,) = PixelFormat(1, (low, low + 7)).apply(Bands(np.array([[sorted(numbers)]]))).values
    assert band.dtype == np.uint8
    assert (np.diff(band[0].astype(int)) >= 0).all()
    for number, value in zip(sorted(numbers), band[0], strict=True):
        assert abs(np.clip((number - low) / 7 * 255, 0, 255) - value) <= 0.5 + 1e-6


@pytest.mark.parametrize("mode", SIXTEEN_BITS)
def test_every_byte_order_of_16_bits_is_read_alike(mode: str) -> None:
    numbers = _noise("uint16", 5, 7)
    dtype = ">u2" if mode == "I;16B" else "<u2"
    image = Image.frombytes(mode, (7, 5), numbers.astype(dtype).tobytes())
    expected = PixelFormat().apply(Bands(numbers[None]))
    assert PixelFormat().apply(image).tobytes() == expected.tobytes()


@pytest.mark.parametrize("mode", [*EIGHT_BITS, "LAB", "HSV", *SIXTEEN_BITS])
@pytest.mark.parametrize("channels", ["rgb", "rgba", 1, 3])
def test_every_mode_gives_the_bands_of_the_format(mode: str, channels: str | int) -> None:
    pixels = PixelFormat(channels)
    image = pixels.apply(Image.new(mode, (12, 7)))
    assert resize_image(image, (4, 6)).shape == (pixels.num_channels, 4, 6)
    assert pixels.apply(image).tobytes() == image.tobytes()
    assert to_rgb(image).mode == "RGB"


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_8_bits_are_what_pillow_converts_them_to(mode: str) -> None:
    count = len(Image.new(mode, (1, 1)).getbands())
    image = Image.frombytes(mode, (9, 6), _noise("uint8", 6, 9, count).tobytes())
    assert PixelFormat().apply(image).tobytes() == image.convert("RGB").tobytes()
    expected = image.resize((4, 3), Image.Resampling.BILINEAR) if mode == "RGB" else None
    if expected is not None:
        resized = resize_image(PixelFormat().apply(image), (3, 4))
        assert np.array_equal(resized, np.asarray(expected).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("image", "dtype"),
    [
        (Image.new("I", (3, 2), 70000), "int32"),
        (Image.new("F", (3, 2), 0.5), "float32"),
        (Bands(np.zeros((1, 2, 3), np.int16)), "int16"),
        (Bands(np.zeros((1, 2, 3), np.float64)), "float64"),
    ],
)
def test_numbers_without_a_known_range_are_refused(image: Image.Image, dtype: str) -> None:
    with pytest.raises(DataError, match=dtype) as caught:
        PixelFormat().apply(image)
    assert "data.pixel_range" in str(caught.value.next_step)
    assert PixelFormat(pixel_range=(0, 1)).apply(image).mode == "RGB"


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(number: float) -> None:
    image = Bands(np.array([[[0.0, number]]]))
    with pytest.raises(DataError, match="not finite"):
        PixelFormat(pixel_range=(0, 1)).apply(image)


def test_a_pgm_of_16_bits_has_the_range_of_16_bits(tmp_path) -> None:
    numbers = _noise("uint16", 4, 5)
    (tmp_path / "x.pgm").write_bytes(b"P5 5 4 65535\n" + numbers.astype(">u2").tobytes())
    with Image.open(tmp_path / "x.pgm") as image:
        image = PixelFormat().apply(image)
    assert image.tobytes() == PixelFormat().apply(Bands(numbers[None])).tobytes()


@pytest.mark.parametrize(("count", "used"), [(1, 1), (2, 1), (3, 3), (4, 3), (7, 3)])
def test_rgb_of_bands_takes_the_first_three(count: int, used: int) -> None:
    bands = Bands(_noise("uint8", count, 3, 4))
    pixels = np.asarray(PixelFormat().apply(bands)).transpose(2, 0, 1)
    assert np.array_equal(pixels, bands.values[[0, 0, 0] if used == 1 else [0, 1, 2]])
    assert PixelFormat().num_dropped(bands) == count - used


@pytest.mark.parametrize(("count", "dropped"), [(1, 0), (2, 0), (3, 0), (4, 0), (6, 2)])
def test_rgba_of_bands_is_opaque_without_alpha(count: int, dropped: int) -> None:
    bands = Bands(_noise("uint8", count, 3, 4))
    values = PixelFormat("rgba").apply(bands).values
    assert values.shape == (4, 3, 4)
    assert (values[3] == {2: bands.values[-1], 4: bands.values[-1]}.get(count, 255)).all() or (
        count == 6 and np.array_equal(values, bands.values[:4])
    )
    assert PixelFormat("rgba").num_dropped(bands) == dropped


@pytest.mark.parametrize(("count", "channels"), [(4, 5), (6, 5), (1, 2), (2, 1)])
def test_another_number_of_bands_is_refused(count: int, channels: int) -> None:
    with pytest.raises(DataError, match=rf"has {count} band") as caught:
        PixelFormat(channels).apply(Bands(_noise("uint8", count, 3, 4)))
    assert f"`data.channels` to {count}" in str(caught.value.next_step)
    assert f"[{count}, 3, 4]" in caught.value.what


def test_bands_last_are_refused_by_the_channels() -> None:
    bands = Bands(_noise("uint8", 32, 40, 12))
    with pytest.raises(DataError, match=r"looks like \[height, width, bands\]") as caught:
        PixelFormat(12).apply(bands)
    assert "transpose(2, 0, 1)" in str(caught.value.next_step)
    assert PixelFormat(32).apply(bands).values.shape == (32, 40, 12)


def test_color_bands_become_gray_without_a_dropped_band() -> None:
    bands = Bands(np.zeros((3, 2, 2), np.uint8))
    assert PixelFormat(1).num_dropped(bands) == 0
    assert PixelFormat(1).num_dropped(Bands(np.zeros((4, 2, 2), np.uint8))) == 3


def test_a_dropped_fourth_band_is_counted() -> None:
    for mode in ("RGBA", "RGBa", "RGBX"):
        assert PixelFormat().num_dropped(Image.new(mode, (2, 2))) == 1
        assert PixelFormat("rgba").num_dropped(Image.new(mode, (2, 2))) == 0
    for mode in ("CMYK", "RGB", "L", "I;16"):
        assert PixelFormat().num_dropped(Image.new(mode, (2, 2))) == 0
    assert PixelFormat().num_dropped(Image.new("LA", (2, 2), (9, 255))) == 0
    assert PixelFormat().num_dropped(Image.new("LA", (2, 2), (9, 254))) == 1


@pytest.mark.parametrize(
    ("arguments", "key"),
    [((0,), "channels"), (("rgb", (1, 1)), "pixel_range"), (("rgb", (2, 1)), "pixel_range")],
)
def test_an_impossible_format_is_refused(arguments: tuple, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        PixelFormat(*arguments)


def test_transparent_pixels_are_resized_as_opaque_ones() -> None:
    bands = Bands(np.zeros((4, 2, 2), np.uint8))
    bands.values[0, 0, 0] = 200
    assert (resize_image(bands, (1, 1))[:, 0, 0] == [50, 0, 0, 0]).all()


def test_contrast_is_the_largest_of_all_bands() -> None:
    flat = Image.new("RGB", (4, 4), (200, 10, 10))
    assert contrast(flat) == 0
    flat.putpixel((1, 2), (200, 31, 10))
    assert contrast(flat) == 21
    assert contrast(Bands(np.array([[[0, 255]], [[3, 3]]], np.uint8))) == 255
