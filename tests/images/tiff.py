"""Uncompressed TIFF files of any number of bands, which Pillow cannot write."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

GRAY, RGB = 1, 2


def write_tiff(path: Path, values: np.ndarray, *, photometric: int = RGB) -> None:
    """Write ``[C, H, W]`` of unsigned integers; bands beyond gray or RGB are unspecified."""
    count, height, width = values.shape
    num_colors = 3 if photometric == RGB else 1
    data = values.transpose(1, 2, 0).astype(values.dtype.newbyteorder("<")).tobytes()
    short, long = "H", "I"
    entries = [
        (256, long, [width]),
        (257, long, [height]),
        (258, short, [values.dtype.itemsize * 8] * count),
        (259, short, [1]),
        (262, short, [photometric]),
        (273, long, [0]),  # the offset of the data, set below
        (277, short, [count]),
        (278, long, [height]),
        (279, long, [len(data)]),
        (284, short, [1]),
        *([(338, short, [0] * (count - num_colors))] if count > num_colors else []),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    blobs, fields = b"", []
    for tag, kind, numbers in entries:
        raw = struct.pack(f"<{len(numbers)}{kind}", *numbers)
        if len(raw) > 4:
            raw, blobs = struct.pack("<I", start + len(blobs)), blobs + raw
        code = 3 if kind == short else 4
        fields.append(struct.pack("<HHI", tag, code, len(numbers)) + raw.ljust(4, b"\0"))
    fields[5] = struct.pack("<HHII", 273, 4, 1, start + len(blobs))
    header = b"II*\0" + struct.pack("<IH", 8, len(fields))
    path.write_bytes(header + b"".join(fields) + b"\0\0\0\0" + blobs + data)
