"""Uncompressed TIFF files of any number of bands, which Pillow cannot write."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

GRAY, RGB = 1, 2


def write_tiff(
    path: Path,
    values: np.ndarray,
    *,
    photometric: int = RGB,
    is_planar: bool = False,
    orientation: int = 1,
    predictor: int = 1,
) -> None:
    """Write ``[C, H, W]`` of unsigned integers; bands beyond gray or RGB are unspecified."""
    count, height, width = values.shape
    num_colors = 3 if photometric == RGB else 1
    ordered = values if is_planar else values.transpose(1, 2, 0)
    data = ordered.astype(values.dtype.newbyteorder("<")).tobytes()
    num_strips = count if is_planar else 1
    short, long = "H", "I"
    entries = [
        (256, long, [width]),
        (257, long, [height]),
        (258, short, [values.dtype.itemsize * 8] * count),
        (259, short, [1]),
        (262, short, [photometric]),
        (273, long, [0] * num_strips),  # the offsets of the data, set below
        (274, short, [orientation]),
        (277, short, [count]),
        (278, long, [height]),
        (279, long, [len(data) // num_strips] * num_strips),
        (284, short, [1 + is_planar]),
        (317, short, [predictor]),
        *([(338, short, [0] * (count - num_colors))] if count > num_colors else []),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    sizes = [4 if kind == long else 2 for _, kind, _ in entries]
    lengths = [size * len(entry[2]) for size, entry in zip(sizes, entries, strict=True)]
    first = start + sum(length for length in lengths if length > 4)
    offsets = [first + strip * (len(data) // num_strips) for strip in range(num_strips)]
    entries = [(tag, kind, offsets if tag == 273 else numbers) for tag, kind, numbers in entries]
    blobs, fields = b"", []
    for tag, kind, numbers in entries:
        raw = struct.pack(f"<{len(numbers)}{kind}", *numbers)
        if len(raw) > 4:
            raw, blobs = struct.pack("<I", start + len(blobs)), blobs + raw
        code = 3 if kind == short else 4
        fields.append(struct.pack("<HHI", tag, code, len(numbers)) + raw.ljust(4, b"\0"))
    header = b"II*\0" + struct.pack("<IH", 8, len(fields))
    path.write_bytes(header + b"".join(fields) + b"\0\0\0\0" + blobs + data)
