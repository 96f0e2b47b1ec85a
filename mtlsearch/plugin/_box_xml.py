"""Boxes of one image in the XML that PASCAL VOC, LabelImg and CVAT write."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from mtlsearch.errors import DataError, did_you_mean
from mtlsearch.labels import Boxes
from mtlsearch.plugin._files import require_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class BoxXml:
    """What such a file says.

    Attributes:
        width: of the image it was drawn on, in pixels.
        height: the same.
        names: the class of every object.
        xyxy: left, top, right, bottom of every object, as written.
        difficult: which objects are marked as difficult.
    """

    width: int
    height: int
    names: tuple[str, ...]
    xyxy: tuple[tuple[float, float, float, float], ...]
    difficult: tuple[bool, ...]

    @classmethod
    def read(cls, path: Path, where: str) -> BoxXml:
        """Read a file.

        Args:
            path: the file.
            where: where the data set names it, for messages.

        Raises:
            DataError: it is missing, no XML, lacks the image's size, or an object lacks
                its name or a side.
        """
        require_file(path, where)
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise DataError(f"{path} is no XML: {error}", where=where) from error
        objects = [
            _Object.read(element, f"{path}, object {row}", where)
            for row, element in enumerate(root.iter("object"), start=1)
        ]
        return cls(
            width=round(_number(root, "size/width", str(path), where)),
            height=round(_number(root, "size/height", str(path), where)),
            names=tuple(item.name for item in objects),
            xyxy=tuple(item.xyxy for item in objects),
            difficult=tuple(item.difficult for item in objects),
        )

    def boxes(
        self,
        classes: Sequence[str],
        *,
        image_size: tuple[int, int],
        where: str,
        one_based: bool = True,
        difficult_is_crowd: bool = True,
    ) -> Boxes:
        """The objects as a label.

        Args:
            classes: class names by index.
            image_size: ``(width, height)`` of the image, which must be the file's.
            where: the image and its row, for messages.
            one_based: pixels are counted from 1 and ``xmax`` is the last pixel inside, as
                in PASCAL VOC; otherwise the numbers are edges counted from 0.
            difficult_is_crowd: difficult objects are neither targets nor false positives.

        Raises:
            DataError: an object's class is unknown, or the size is not the image's.
        """
        if (self.width, self.height) != image_size:
            raise DataError(
                f"the XML says the image is {self.width} x {self.height} pixels, "
                f"it is {image_size[0]} x {image_size[1]}",
                where=where,
            )
        index = {name: at for at, name in enumerate(classes)}
        for row, name in enumerate(self.names, start=1):
            if name not in index:
                raise DataError(
                    f"object {row} is of unknown class {name!r}{did_you_mean(name, classes)}",
                    where=where,
                    allowed=classes,
                )
        xyxy = np.array(self.xyxy, np.float32).reshape(-1, 4)
        if one_based:
            xyxy[:, :2] -= 1
        crowd = np.array(self.difficult, np.bool_) & difficult_is_crowd
        return Boxes(xyxy, np.array([index[name] for name in self.names], np.int64), crowd)


@dataclass(frozen=True, slots=True)
class _Object:
    name: str
    xyxy: tuple[float, float, float, float]
    difficult: bool

    @classmethod
    def read(cls, element: Element, what: str, where: str) -> _Object:
        name = (element.findtext("name") or "").strip()
        if not name:
            raise DataError(f"{what} has no <name>", where=where)
        left, top, right, bottom = (
            _number(element, f"bndbox/{side}", what, where) for side in SIDES
        )
        difficult = (element.findtext("difficult") or "0").strip() not in ("", "0")
        return cls(name, (left, top, right, bottom), difficult)


def _number(element: Element, tag: str, what: str, where: str) -> float:
    text = element.findtext(tag)
    if text is None or not text.strip():
        raise DataError(f"{what} has no <{tag}>", where=where)
    try:
        number = float(text)
    except ValueError as error:
        raise DataError(f"{what}: <{tag}> is {text!r}, no number", where=where) from error
    if not math.isfinite(number):
        raise DataError(f"{what}: <{tag}> is {text!r}, no finite number", where=where)
    return number
