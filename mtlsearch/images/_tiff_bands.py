"""Bands of TIFF files that Pillow opens partly or not at all, such as multispectral ones."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
ORIENTATION, SAMPLES, PLANAR, PREDICTOR, SAMPLE_FORMAT = 274, 277, 284, 317, 339
FILL_ORDER, ROWS_PER_STRIP, TILE_WIDTH, TILE_HEIGHT = 266, 278, 322, 323
STRIPS, TILES = (273, 279), (324, 325)
"""Tags of the offsets and the numbers of bytes of strips and of tiles."""

GRAY, RGB = 1, 2
JPEG = (6, 7)
"""Compressions whose bytes depend on the number of bands."""

_KINDS = {1: "u", 2: "i", 3: "f"}
"""Kind of number by SampleFormat."""

_ROTATIONS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda bands: bands[:, :, ::-1],
    3: lambda bands: bands[:, ::-1, ::-1],
    4: lambda bands: bands[:, ::-1],
    5: lambda bands: bands.transpose(0, 2, 1),
    6: lambda bands: bands.transpose(0, 2, 1)[:, :, ::-1],
    7: lambda bands: bands.transpose(0, 2, 1)[:, ::-1, ::-1],
    8: lambda bands: bands.transpose(0, 2, 1)[:, ::-1],
}
"""Upright bands ``[C, H, W]`` by EXIF orientation."""


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """How the first page of a TIFF stores its numbers.

    Attributes:
        width: width in pixels.
        height: height in pixels.
        num_bands: number of bands.
        dtype: type of the numbers, in the byte order of the file.
        is_planar: whether each band is stored on its own.
        has_differences: whether a number is stored as the difference to its left neighbor.
        has_more_pages: whether the file has further pages, which are not read.
        tags: all tags.
    """

    width: int
    height: int
    num_bands: int
    dtype: np.dtype[Any]
    is_planar: bool
    has_differences: bool
    has_more_pages: bool
    tags: ImageFileDirectory_v2

    @classmethod
    def read(cls, path: Path) -> TiffLayout | None:
        """Return the layout of a file; None if the file or its layout is not supported."""
        with path.open("rb") as file:
            header = file.read(8)
            if header[:4] not in (b"II*\0", b"MM\0*"):
                return None
            tags = ImageFileDirectory_v2(header)
            file.seek(tags.next)
            tags.load(file)
        bits, formats = _as_set(tags.get(BITS, 1)), _as_set(tags.get(SAMPLE_FORMAT, 1))
        is_supported = (
            len(bits) == len(formats) == 1
            and bits <= {8, 16, 32, 64}
            and formats <= set(_KINDS)
            and (bits | formats) != {8, 3}
            and tags.get(PHOTOMETRIC) in (GRAY, RGB)
            and tags.get(COMPRESSION, 1) not in JPEG
            and tags.get(PREDICTOR, 1) in (1, 2)
            and tags.get(FILL_ORDER, 1) == 1
        )
        if not is_supported:
            return None
        order = "<" if header[:2] == b"II" else ">"
        return cls(
            int(tags[WIDTH]),
            int(tags[HEIGHT]),
            int(tags.get(SAMPLES, 1)),
            np.dtype(f"{order}{_KINDS[formats.pop()]}{bits.pop() // 8}"),
            tags.get(PLANAR, 1) == 2,
            tags.get(PREDICTOR, 1) == 2,
            bool(tags.next),
            tags,
        )

    def decode(self, path: Path) -> NDArray[Any]:
        """Return the upright bands.

        The bytes of all bands, or of one, are those of a gray image of 8 bits that is wider.
        Pillow decodes such an image, with any compression.

        Args:
            path: the file.

        Returns:
            ``[C, H, W]`` in the type of the file.
        """
        tag_offsets, tag_sizes = TILES if TILES[0] in self.tags else STRIPS
        places = list(zip(self.tags[tag_offsets], self.tags[tag_sizes], strict=True))
        content = path.read_bytes()
        parts = [content[offset : offset + size] for offset, size in places]
        if not self.is_planar:
            numbers = self._decode_gray(parts, self.num_bands)
            bands = numbers.transpose(2, 0, 1)
        else:
            count = len(parts) // self.num_bands
            planes = [parts[band * count :][:count] for band in range(self.num_bands)]
            bands = np.stack([self._decode_gray(plane, 1)[:, :, 0] for plane in planes])
        rotate = _ROTATIONS.get(int(self.tags.get(ORIENTATION, 1)))
        return np.ascontiguousarray(bands if rotate is None else rotate(bands))

    def _decode_gray(self, parts: Sequence[bytes], num_bands: int) -> NDArray[Any]:
        """Return the numbers of interleaved bands, ``[H, W, C]``."""
        scale = num_bands * self.dtype.itemsize
        with Image.open(io.BytesIO(self._gray_tiff(parts, scale))) as image:
            pixels = np.asarray(image, np.uint8)
        numbers = pixels.view(self.dtype).reshape(self.height, self.width, num_bands)
        if not self.has_differences:
            return numbers
        # Differences are those of the bits as integers, also of floating-point numbers.
        summed = numbers.copy()
        bits = summed.view(f"{self.dtype.byteorder.replace('|', '=')}u{self.dtype.itemsize}")
        step = int(self.tags.get(TILE_WIDTH, self.width))
        for left in range(0, self.width, step):  # differences begin again in each tile
            tile = bits[:, left : left + step]
            np.cumsum(tile, axis=1, dtype=bits.dtype.newbyteorder("="), out=tile)
        return summed

    def _gray_tiff(self, parts: Sequence[bytes], scale: int) -> bytes:
        """Return a TIFF of 8-bit gray with the same strips or tiles."""
        fields = {WIDTH: [self.width * scale], HEIGHT: [self.height], BITS: [8]}
        fields |= {COMPRESSION: [int(self.tags.get(COMPRESSION, 1))], PHOTOMETRIC: [GRAY]}
        fields |= {SAMPLES: [1], PLANAR: [1]}
        tag_offsets, tag_sizes = TILES if TILES[0] in self.tags else STRIPS
        if TILE_WIDTH in self.tags:
            fields[TILE_WIDTH] = [int(self.tags[TILE_WIDTH]) * scale]
            fields[TILE_HEIGHT] = [int(self.tags[TILE_HEIGHT])]
        else:
            rows = min(int(self.tags.get(ROWS_PER_STRIP, self.height)), self.height)
            fields[ROWS_PER_STRIP] = [rows]
        fields[tag_sizes] = [len(part) for part in parts]
        starts = np.cumsum([8, *fields[tag_sizes]]).tolist()
        fields[tag_offsets] = starts[:-1]
        place = starts[-1] + starts[-1] % 2  # of the tags, behind the numbers
        entries, lists = b"", b""
        end = place + 2 + 12 * len(fields) + 4
        for tag, numbers in sorted(fields.items()):
            raw = struct.pack(f"<{len(numbers)}I", *numbers)
            if len(numbers) > 1:
                raw, lists = struct.pack("<I", end + len(lists)), lists + raw
            entries += struct.pack("<HHI", tag, 4, len(numbers)) + raw
        header = b"II*\0" + struct.pack("<I", place)
        body = b"".join((header, *parts)).ljust(place, b"\0")
        return body + struct.pack("<H", len(fields)) + entries + b"\0\0\0\0" + lists


def _as_set(value: object) -> set[int]:
    return {int(number) for number in (value if isinstance(value, tuple) else (value,))}
