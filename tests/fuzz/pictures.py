"""Pictures in the formats of Pillow, and arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mtlsearch.images import PixelFormat, read_image

WIDTH, HEIGHT = 24, 20


def noise(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), np.uint8))


PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "a.png": ("RGB", {"pnginfo": None}),
    "g.png": ("I;16", {}),
    "p.png": ("P", {}),
    "a.jpg": ("RGB", {}),
    "a.gif": ("P", {}),
    "a.bmp": ("RGB", {}),
    "a.tif": ("RGB", {}),
    "l.tif": ("RGB", {"compression": "tiff_lzw"}),
    "d.tiff": ("L", {"compression": "tiff_adobe_deflate"}),
    "a.ppm": ("RGB", {}),
    "a.webp": ("RGB", {}),
    "a.tga": ("RGB", {}),
    "a.dds": ("RGBA", {}),
    "a.ico": ("RGB", {}),
    "a.pcx": ("RGB", {}),
    "a.sgi": ("RGB", {}),
    "a.jp2": ("RGB", {}),
    "a.avif": ("RGB", {}),
    "a.msp": ("1", {}),
    "a.xbm": ("1", {}),
    "a.icns": ("RGB", {}),
    "a.qoi": ("RGB", {}),
    "a.blp": ("P", {}),
}


def write_pictures(folder: Path) -> None:
    for name, (mode, options) in PICTURES.items():
        if mode == "I;16":
            values = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH), np.uint16)
            image = Image.fromarray(values)
        else:
            image = noise(0).convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6
        if name.endswith((".jpg", ".webp", ".png")):
            options = {**options, "exif": exif}
        image.save(folder / name, **options)
    pages = [noise(index).convert("L") for index in range(3)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    from tests.images.tiff import write_tiff

    bands = np.random.default_rng(0).integers(0, 256, (5, HEIGHT, WIDTH), np.uint8)
    write_tiff(folder / "bands.tif", bands)
    np.save(folder / "a.npy", bands)
    np.save(folder / "f.npy", bands[0].astype(np.float32))


def read_pictures(folder: Path) -> None:
    """Read the pictures of a folder and convert them."""
    name = (folder / "changed").read_text()
    image = read_image(folder / name, f"row of {name}")
    PixelFormat("rgb", (0, 255)).apply(image, name)
