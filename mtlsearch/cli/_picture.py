"""Pictures on disk, which appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a picture; the format goes by the suffix, PNG where there is none known.

    It is written beside itself and renamed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp") else ".png"
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial{suffix}")
    try:
        image.save(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
