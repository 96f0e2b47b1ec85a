"""Predict all tasks on images: ``python predict.py IMAGE|FOLDER... [--out DIR]``.

Needs Python 3.11, numpy, Pillow and onnxruntime 1.18, or newer ones. mtlsearch need not be
installed, because ``mtlsearch.zip`` contains its reader of bundles. This program prints the same
JSON document and writes the same files as ``mtlsearch predict``.

From Python::

    import sys
    sys.path.insert(0, "BUNDLE/mtlsearch.zip")
    from mtlsearch.bundle import open_bundle
    predictions = open_bundle("BUNDLE").predict("photo.jpg")
"""

import argparse
import json
import sys
from pathlib import Path

BUNDLE = Path(__file__).parent
FAILURE, WRONG_INPUT = 1, 2


def main() -> int:
    """Run the program.

    Returns:
        The exit code: 0, 1 if an image or the bundle cannot be read, 2 if an argument is wrong.
    """
    parser = argparse.ArgumentParser(description="Predict all tasks on images and print JSON.")
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE|FOLDER",
        help="Images, or folders of images or video frames.",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="Folder for pictures, masks and maps."
    )
    parser.add_argument(
        "--conf", type=float, metavar="SCORE", help="Smallest score. Default: of the bundle."
    )
    parser.add_argument(
        "--iou", type=float, metavar="IOU", help="IoU of suppression. Default: of the bundle."
    )
    parser.add_argument(
        "--classes", action="append", default=[], metavar="NAME", help="Class. Repeatable."
    )
    arguments = parser.parse_args()
    sys.path.insert(0, str(BUNDLE.resolve() / "mtlsearch.zip"))
    from mtlsearch.bundle import open_bundle, predict_files
    from mtlsearch.errors import ConfigError, MtlsearchError

    try:
        bundle = open_bundle(BUNDLE).select(
            conf=arguments.conf, iou=arguments.iou, classes=arguments.classes
        )
        document = predict_files(bundle, arguments.images, arguments.out, on_error=show)
    except MtlsearchError as error:
        show(error)
        return WRONG_INPUT if isinstance(error, ConfigError) else FAILURE
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return FAILURE if document["failed"] else 0


def show(error: Exception) -> None:
    """Print an error."""
    sys.stderr.write(f"error: {error}\n")


if __name__ == "__main__":
    raise SystemExit(main())
