"""Reading of image and array files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mtlsearch.errors import DataError
from mtlsearch.images import Bands, PixelFormat, load_array, open_image, read_image
from mtlsearch.images._tiff_bands import PREDICTOR, TiffLayout
from tests.images.tiff import GRAY, RGB, write_tiff


def _planes(count: int, dtype: str = "uint8") -> np.ndarray:
    numbers = np.random.default_rng(0).integers(0, 200, (count, 5, 7))
    return numbers.astype(dtype)


def _save_pages(path: Path, planes: np.ndarray) -> None:
    first, *others = [Image.fromarray(plane) for plane in planes]
    first.save(path, save_all=True, append_images=others)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_pages_of_a_tiff_are_bands(tmp_path: Path, dtype: str) -> None:
    planes = _planes(6, dtype)
    _save_pages(tmp_path / "x.tif", planes)
    image = read_image(tmp_path / "x.tif")
    assert isinstance(image, Bands)
    assert np.array_equal(image.values, planes)
    assert image.size == (7, 5)


def test_pages_that_differ_are_a_document(tmp_path: Path) -> None:
    first, second = Image.new("L", (4, 4), 9), Image.new("L", (2, 2))
    first.save(tmp_path / "x.tif", save_all=True, append_images=[second])
    image = read_image(tmp_path / "x.tif")
    assert isinstance(image, Image.Image)
    assert image.getpixel((3, 3)) == 9


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_read(tmp_path: Path, kind: str) -> None:
    first, second = Image.new("RGB", (6, 6), (255, 0, 0)), Image.new("RGB", (6, 6), (0, 0, 255))
    path = tmp_path / f"x.{kind.lower()}"
    first.save(path, kind, save_all=True, append_images=[second])
    image = read_image(path)
    assert isinstance(image, Image.Image)
    assert image.convert("RGB").getpixel((0, 0))[0] > 250


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (9, 5, 7)])
def test_an_array_is_bands(tmp_path: Path, shape: tuple[int, ...]) -> None:
    numbers = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    np.save(tmp_path / "x.npy", numbers)
    image = read_image(tmp_path / "x.npy")
    assert np.array_equal(image.values, numbers.reshape(-1, 5, 7))


def test_a_boolean_array_is_black_and_white(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[True, False]]))
    assert read_image(tmp_path / "x.npy").values.tolist() == [[[255, 0]]]
    assert load_array(tmp_path / "x.npy").tolist() == [[1, 0]]


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5), (0, 5, 7), (48, 64, 3)])
def test_an_array_of_another_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(DataError, match=r"expected \[bands, height, width\]"):
        read_image(tmp_path / "x.npy", "row 1")


@pytest.mark.parametrize("shape", [(64, 80, 5), (64, 80, 3), (40, 40, 10), (5, 6, 4)])
def test_an_array_with_bands_last_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=r"looks like \[height, width, bands\]") as caught:
        read_image(tmp_path / "x.npy")
    assert str(list(shape)) in caught.value.what
    assert "transpose(2, 0, 1)" in str(caught.value.next_step)


@pytest.mark.parametrize("name", ["x.png", "x.npy", "x.tif"])
def test_an_image_above_the_limit_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "x.npy":
        np.save(tmp_path / name, np.zeros((3, 20, 20), np.uint8))
    elif name == "x.tif":
        _save_pages(tmp_path / name, np.zeros((30, 9, 9), np.uint8))
    else:
        Image.new("L", (40, 30)).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(DataError, match="at most 1000") as caught:
        read_image(tmp_path / name, "row 1")
    assert name in caught.value.what
    assert "tiles" in str(caught.value.next_step)


def test_masks_are_read_from_the_first_page(tmp_path: Path) -> None:
    planes = _planes(3)
    _save_pages(tmp_path / "x.tif", planes)
    assert np.array_equal(np.asarray(open_image(tmp_path / "x.tif")), planes[0])


def _noise(count: int, dtype: str = "uint8") -> np.ndarray:
    shape = (count, 5, 7)
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)


def test_fourth_band_of_a_tiff_is_read(tmp_path: Path) -> None:
    """Pillow opens such a file as RGB, without the fourth band."""
    values = _noise(4)
    write_tiff(tmp_path / "x.tif", values)
    image = read_image(tmp_path / "x.tif")
    assert PixelFormat().num_dropped(image) == 1
    rgb = np.asarray(PixelFormat().apply(image)).transpose(2, 0, 1)
    assert np.array_equal(rgb, values[:3])
    for channels in ("rgba", 4):
        assert PixelFormat(channels).num_dropped(image) == 0
        assert np.array_equal(PixelFormat(channels).apply(image).values, values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
@pytest.mark.parametrize(("count", "photometric"), [(5, RGB), (6, RGB), (2, GRAY), (13, GRAY)])
@pytest.mark.parametrize("is_planar", [False, True])
def test_bands_beyond_those_of_pillow_are_read(
    tmp_path: Path, count: int, photometric: int, dtype: str, is_planar: bool
) -> None:
    values = _noise(count, dtype)
    write_tiff(tmp_path / "x.tif", values, photometric=photometric, is_planar=is_planar)
    image = read_image(tmp_path / "x.tif")
    assert isinstance(image, Bands)
    assert image.values.dtype == dtype
    assert np.array_equal(image.values, values)
    assert PixelFormat().num_dropped(image) == max(1, count - 3)
    assert len(PixelFormat(count, (0, 9)).apply(image).values) == count


@pytest.mark.parametrize("compression", [None, "packbits", "tiff_lzw", "tiff_deflate"])
@pytest.mark.parametrize("has_differences", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_layout_decodes_every_compression(
    tmp_path: Path, compression: str | None, has_differences: bool, dtype: str
) -> None:
    gray, path = _noise(1, dtype)[0], tmp_path / "x.tif"
    images = [gray, _noise(3).transpose(1, 2, 0)]
    for pixels in images[: 2 if dtype == "uint8" else 1]:
        tags = {PREDICTOR: 2} if has_differences and "tiff" in (compression or "") else {}
        Image.fromarray(pixels).save(path, compression=compression, tiffinfo=tags)
        layout = TiffLayout.read(path)
        assert layout is not None
        assert layout.has_differences == bool(tags)
        expected = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        assert np.array_equal(layout.decode(path), expected)


def test_differences_of_floats_are_those_of_their_bits(tmp_path: Path) -> None:
    gray, path = np.random.default_rng(0).normal(100, 3, (5, 7)).astype(np.float32), tmp_path / "x"
    Image.fromarray(gray).save(path, "TIFF", compression="tiff_deflate", tiffinfo={PREDICTOR: 2})
    layout = TiffLayout.read(path)
    assert layout is not None
    assert layout.has_differences
    assert np.array_equal(layout.decode(path), gray[None])


def test_pages_that_pillow_cannot_open_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    write_tiff(path, _noise(1, "int64"), photometric=GRAY)
    content = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", content, 4)
    (num_tags,) = struct.unpack_from("<H", content, first)
    assert read_image(path).values.shape == (1, 5, 7)
    struct.pack_into("<I", content, first + 2 + 12 * num_tags, first)  # a second page
    path.write_bytes(content)
    with pytest.raises(DataError, match="several pages of uint64") as caught:
        read_image(path)
    assert ".npy" in str(caught.value.next_step)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_bands_are_rotated_as_pillow_does(tmp_path: Path, orientation: int) -> None:
    values = _noise(6)
    write_tiff(tmp_path / "x.tif", values, orientation=orientation)
    bands = read_image(tmp_path / "x.tif")
    assert isinstance(bands, Bands)
    for band, plane in zip(bands.values, values, strict=True):
        image = Image.fromarray(plane)
        image.getexif()[0x0112] = orientation
        assert np.array_equal(band, np.asarray(ImageOps.exif_transpose(image)))


def test_bands_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    write_tiff(tmp_path / "x.tif", _noise(5), predictor=3)
    image = read_image(tmp_path / "x.tif")
    assert PixelFormat().num_dropped(image) == 2
    for channels in ("rgba", 5):
        with pytest.raises(DataError, match=r"bands of the \w+ can be read") as caught:
            PixelFormat(channels).apply(image)
        assert ".npy" in str(caught.value.next_step)


def test_tiff_that_cannot_be_read_names_the_way_out(tmp_path: Path) -> None:
    write_tiff(tmp_path / "x.tif", _noise(8, "uint16"), predictor=3)
    with pytest.raises(DataError, match="known image format") as caught:
        read_image(tmp_path / "x.tif")
    assert ".npy" in str(caught.value.next_step)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about damaged tags
@pytest.mark.parametrize(
    "suffix", [".png", ".tif", ".gif", ".dds", ".bmp", ".jpg", ".npy", ".avif"]
)
def test_damaged_files_are_refused_or_read(tmp_path: Path, suffix: str) -> None:
    """Decoders raise errors of many types; all of them become one that names the file."""
    path, generator = tmp_path / f"x{suffix}", np.random.default_rng(0)
    pixels = generator.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    if suffix == ".npy":
        np.save(path, pixels.transpose(2, 0, 1))
    else:
        Image.fromarray(pixels).save(path)
    content = path.read_bytes()
    messages = []
    for _ in range(150):
        damaged = np.frombuffer(content, np.uint8).copy()
        places = generator.integers(0, min(len(damaged), 200), generator.integers(1, 9))
        damaged[places] = generator.choice([0, 1, 127, 128, 255], len(places))
        path.write_bytes(damaged.tobytes()[: generator.integers(1, 2 * len(damaged))])
        try:
            PixelFormat(pixel_range=(0, 1)).read(path)
        except DataError as error:
            messages.append(str(error))
    assert messages
    assert all(path.name in message for message in messages)
