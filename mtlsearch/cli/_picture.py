"""Writing of image files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from mtlsearch.config import RunConfig
    from mtlsearch.files import Outputs

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def check_picture(path: Path, outputs: Outputs, config: RunConfig) -> None:
    """Check that a picture may be written, before a command does any work.

    Raises:
        ConfigError: the path is a folder or a file of the user, or it is beside images in the
            folder of a source.
    """
    outputs.check({path: None})
    folder = path.parent.resolve()
    roots = [(config.data.root / (source.root or "")).resolve() for source in config.data.sources]
    if any(folder.is_relative_to(root) for root in roots):
        outputs.check_folder(path.parent)


def save_picture(image: Image.Image, path: Path, outputs: Outputs) -> None:
    """Write an image atomically; the suffix selects the format, PNG by default.

    Raises:
        ConfigError: the path is a file that this command did not write.
    """
    with outputs.write(path) as partial:
        image.save(partial, FORMATS.get(path.suffix.lower(), "PNG"))
