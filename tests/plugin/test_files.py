"""Readers accept every mode of picture and report broken files by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtlsearch.errors import DataError
from mtlsearch.plugin import BoxXml, read_image, read_plane

ORIENTATION = 0x0112


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_read_image_keeps_the_mode_of_the_file(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("x.tiff" if mode == "CMYK" else "x.png")
    Image.new(mode, (12, 7)).save(path)
    image = read_image(path, "row 1")
    assert (image.mode, image.size) == (mode, (12, 7))


def test_readers_apply_the_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # rotated by 90 degrees
    pixels = np.zeros((4, 8), np.uint8)
    pixels[0, 0] = 200
    for mode in ("RGB", "L"):
        path = tmp_path / f"{mode}.png"
        Image.fromarray(pixels).convert(mode).save(path, exif=exif)
    image = read_image(tmp_path / "RGB.png", "row 1")
    assert image.size == (4, 8)
    assert image.getpixel((3, 0)) == (200, 200, 200)
    plane = read_plane(tmp_path / "L.png", "row 1")
    assert plane.shape == (8, 4)
    assert plane[0, 3] == 200


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.bmp"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.95])
def test_truncated_picture_is_reported(tmp_path: Path, name: str, part: float) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError) as caught:
        read_image(path, "list.csv row 3")
    assert str(path) in caught.value.what
    assert caught.value.where == "list.csv row 3"


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (b"hello", "is not in a known image format")]
)
def test_file_that_is_not_an_image_is_reported(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_image(path, "list.csv row 3")
    assert caught.value.what == f"{path} {reason}"


def test_message_of_a_system_error_contains_the_path_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jpg"
    path.touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(DataError) as caught:
        read_image(path, "list.csv row 3")
    assert caught.value.what == f"{path} cannot be decoded: Permission denied"


def test_missing_file_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "no.png", tmp_path / "no.npy"):
        with pytest.raises(DataError, match="is missing"):
            read_plane(path, "row 1")


@pytest.mark.parametrize("name", ["pictures", "numbers.npy", "boxes.xml"])
def test_folder_instead_of_a_file_is_reported(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir()
    read = BoxXml.read if name.endswith("xml") else read_plane
    with pytest.raises(DataError) as caught:
        read(path, "row 1")
    assert caught.value.what == f"{path} is a folder, expected a file"


def test_read_plane_keeps_the_numbers(tmp_path: Path) -> None:
    for numbers in (
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        (np.arange(12) * 5000).astype(np.uint16).reshape(3, 4),
        np.array([[True, False]]),
    ):
        Image.fromarray(numbers).save(tmp_path / "x.png")
        np.save(tmp_path / "x.npy", numbers)
        for name in ("x.png", "x.npy"):
            plane = read_plane(tmp_path / name, "row 1")
            assert np.array_equal(plane, numbers.astype(plane.dtype))
            assert plane.dtype.kind == "u"


def test_read_plane_refuses_pickled_objects(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be decoded"):
        read_plane(tmp_path / "x.npy", "row 1")
