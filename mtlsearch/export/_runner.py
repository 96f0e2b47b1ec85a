"""Program of a bundle and the modules that it needs, as files of the bundle."""

from __future__ import annotations

import zipfile
from pathlib import Path

from mtlsearch.bundle import MODULES, RUNNER

PACKAGES = ("errors", "files", "images", "labels", "plan", "prediction", "bundle")
"""Layers that a bundle contains: they need numpy, Pillow and onnxruntime only."""

_TIME = (1980, 1, 1, 0, 0, 0)
"""Time of each file in the archive, so that equal modules give an equal archive."""


def write_runner(folder: Path) -> None:
    """Write the program of a bundle and an archive of the modules that it imports.

    Args:
        folder: folder of the bundle.
    """
    program = Path(__file__).with_name("_predict_program.py").read_text(encoding="utf-8")
    (folder / RUNNER).write_text(program, encoding="utf-8")
    root = Path(__file__).parents[1]
    files = [root / "__init__.py"]
    for package in PACKAGES:
        files += sorted((root / package).rglob("*.py"))
    with zipfile.ZipFile(folder / MODULES, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            info = zipfile.ZipInfo(file.relative_to(root.parent).as_posix(), _TIME)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes())
