"""Files of onnxruntime-web, from its npm package."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path

from mtlsearch.bundle import digest_of
from mtlsearch.errors import ExportError

PACKAGE = "onnxruntime-web"
VERSION = "1.24.3"
"""Version that is downloaded, and with which the page is tested."""
FILES = {
    "ort.wasm.min.mjs": "d5a6d7bc8ee587648fb3742dde8c0094d17cbd3822a68bbec8ddfcd4f2adb88e",
    "ort-wasm-simd-threaded.mjs": (
        "5687566b1bc1c8cf628d76c2ddb16b2a3b81a7997273d4666564880495088e57"
    ),
    "ort-wasm-simd-threaded.wasm": (
        "be0e129949062ad50290ef94683fac8be5bb6156f709e030b7a5f1661a2f6c17"
    ),
}
"""SHA-256 by name of the files that the page loads, in the folder ``dist`` of the package."""

TIMEOUT = 300.0
"""Seconds after which a download is given up."""


def copy_runtime(source: Path | None, folder: Path) -> None:
    """Copy the files of onnxruntime-web into a folder and compare their checksums.

    Args:
        source: the npm package as a ``.tgz`` file or unpacked, or a folder that contains its
            files, such as ``web`` of another bundle; None to download it with npm.
        folder: the folder of the page.

    Raises:
        ExportError: a file is missing, damaged or of another version, or the package cannot be
            downloaded.
    """
    with tempfile.TemporaryDirectory(prefix="mtlsearch-web-") as scratch:
        package = _download(Path(scratch)) if source is None else source
        if package.is_file():
            package = _unpack(package, Path(scratch) / "package")
        for name, checksum in FILES.items():
            file = _find(package, name)
            if file is None:
                raise ExportError(
                    f"{name} of {PACKAGE} is missing",
                    where=str(source or package),
                    allowed=[f"the .tgz file of {PACKAGE} {VERSION}", "its folder", "its files"],
                    next_step=_manual(),
                )
            shutil.copyfile(file, folder / name)
            if digest_of(folder / name).sha256 != checksum:
                raise ExportError(
                    f"{name} is damaged, or not that of {PACKAGE} {VERSION}",
                    where=str(source or package),
                    next_step=_manual(),
                )


def _manual() -> str:
    return (
        f"run `npm pack {PACKAGE}@{VERSION}` on a machine with npm and a network, and set "
        "--web-runtime to the .tgz file"
    )


def _download(folder: Path) -> Path:
    """Return the npm package, downloaded with npm, which compares its checksum."""
    npm = shutil.which("npm")
    if npm is None:
        raise ExportError(
            f"the page needs the npm package {PACKAGE}, and npm was not found",
            where="--web",
            next_step=f"install Node.js with npm, or {_manual()}",
        )
    command = [npm, "pack", "--json", "--silent", f"{PACKAGE}@{VERSION}"]
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=True
        )
        return folder / str(json.loads(result.stdout)[0]["filename"])
    except (subprocess.SubprocessError, OSError, ValueError, LookupError, TypeError) as error:
        detail = getattr(error, "stderr", None) or str(error)
        raise ExportError(
            f"npm cannot download {PACKAGE} {VERSION}: {str(detail).strip()}",
            where="--web",
            next_step=_manual(),
        ) from error


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack the needed files of an npm package; no other member is written."""
    folder.mkdir()
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                name = Path(member.name).name
                content = opened.extractfile(member) if name in FILES else None
                if content is not None:
                    (folder / name).write_bytes(content.read())
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise ExportError(
            f"the npm package cannot be read: {error}", where=str(archive), next_step=_manual()
        ) from error
    return folder


def _find(folder: Path, name: str) -> Path | None:
    """Return a file of the package in its folder, or in ``dist`` or ``package/dist`` below."""
    places = (folder, folder / "dist", folder / "package" / "dist")
    return next((place / name for place in places if (place / name).is_file()), None)
