"""Boxes of one image in the XML format of PASCAL VOC, LabelImg and CVAT."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

import numpy as np

from mtlsearch.errors import DataError, did_you_mean
from mtlsearch.files import require_below_root
from mtlsearch.images import require_file
from mtlsearch.labels import Boxes
from mtlsearch.plugin._text import parse_flag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

SIDES = ("xmin", "ymin", "xmax", "ymax")

SizeRule = Literal["check", "from_image", "rescale"]
"""What to do with the image size in an annotation file: it must be the image's (``check``), it
is ignored and boxes are pixels of the image (``from_image``), or boxes are pixels of an image of
that size and are scaled to the actual one (``rescale``)."""


@dataclass(frozen=True, slots=True)
class BoxXml:
    """Contents of one annotation file; ``N`` objects.

    Attributes:
        width: width of the annotated image in pixels; None if the file does not state it.
        height: height of the annotated image in pixels; None if the file does not state it.
        names: class name of each object.
        xyxy: left, top, right, bottom of each object, as written in the file.
        difficult: whether an object is marked as difficult.
    """

    width: int | None
    height: int | None
    names: tuple[str, ...]
    xyxy: tuple[tuple[float, float, float, float], ...]
    difficult: tuple[bool, ...]

    @classmethod
    def read(cls, path: Path, where: str) -> BoxXml:
        """Read an annotation file.

        Args:
            path: the file.
            where: reference to the file in the data set, for messages.

        Returns:
            The contents.

        Raises:
            DataError: the file is missing or not XML, the image size is not a number, or an
                object lacks its name or a side.
        """
        root = read_xml(path, where)
        objects = [
            _Object.read(element, f"{path}, object {row}", where)
            for row, element in enumerate(root.iter("object"), start=1)
        ]
        return cls(
            width=_side(root, "size/width", str(path), where),
            height=_side(root, "size/height", str(path), where),
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
        size: SizeRule = "check",
    ) -> Boxes:
        """Return the objects as a label.

        Args:
            classes: class names by index.
            image_size: ``(width, height)`` of the image in pixels.
            where: the image and its row, for messages.
            one_based: whether pixels count from 1 and ``xmax`` is the last pixel inside, as in
                PASCAL VOC. Otherwise, numbers are edges that count from 0.
            difficult_is_crowd: whether difficult objects are crowds.
            size: what to do with the image size that the file states.

        Returns:
            The boxes, with edges in pixels from 0.

        Raises:
            DataError: the class of an object is unknown, or the image size is missing or differs.
        """
        stated = None if size == "from_image" else self.stated_size(where)
        if size == "check" and stated != image_size:
            raise DataError(
                f"the image has {image_size[0]} x {image_size[1]} pixels, "
                f"its XML file expects {self.width} x {self.height} pixels",
                where=where,
            )
        index_by_name = {name: index for index, name in enumerate(classes)}
        for row, name in enumerate(self.names, start=1):
            if name not in index_by_name:
                raise DataError(
                    f"object {row} has unknown class {name!r}{did_you_mean(name, classes)}",
                    where=where,
                    allowed=classes,
                )
        xyxy = np.array(self.xyxy, np.float32).reshape(-1, 4)
        if one_based:
            xyxy[:, :2] -= 1
        if size == "rescale" and stated is not None:
            xyxy *= np.tile(np.array(image_size, np.float32) / np.array(stated, np.float32), 2)
        indices = np.array([index_by_name[name] for name in self.names], np.int64)
        return Boxes(xyxy, indices, np.array(self.difficult, np.bool_) & difficult_is_crowd)

    def stated_size(self, where: str) -> tuple[int, int]:
        """Return the image size that the file states.

        Args:
            where: the image and its row, for messages.

        Returns:
            ``(width, height)`` in pixels.

        Raises:
            DataError: the file states no width or no height, or one that is not positive.
        """
        for side, length in (("width", self.width), ("height", self.height)):
            if length is None or length <= 0:
                what = f"lacks <size/{side}>" if length is None else f"has <size/{side}> {length}"
                raise DataError(
                    f"the XML file {what}",
                    where=where,
                    next_step="set `size: from_image` to ignore the size in XML files",
                )
        return self.width or 0, self.height or 0


@dataclass(frozen=True, slots=True)
class _Object:
    name: str
    xyxy: tuple[float, float, float, float]
    difficult: bool

    @classmethod
    def read(cls, element: Element, what: str, where: str) -> _Object:
        """Read one ``<object>``."""
        name = (element.findtext("name") or "").strip()
        if not name:
            raise DataError(f"{what} lacks <name>", where=where)
        left, top, right, bottom = (
            _number(element, f"bndbox/{side}", what, where) for side in SIDES
        )
        difficult = parse_flag(
            element.findtext("difficult"), name="difficult", where=f"{where}, {what}"
        )
        return cls(name, (left, top, right, bottom), difficult)


def read_xml(path: Path, where: str) -> Element:
    """Read an XML file without namespaces.

    Args:
        path: the file.
        where: reference to the file in the data set, for messages.

    Returns:
        The root element. Tags have no namespace, so that ``object`` also matches an ``object`` in
        a default namespace.

    Raises:
        DataError: the file is missing, not XML or leaves the data root.
    """
    require_below_root(path, where)
    require_file(path, where)
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DataError(f"{path} is not valid XML: {error}", where=where) from error
    except (LookupError, ValueError) as error:  # of the encoding that the file states
        raise DataError(
            f"{path} is in an encoding that cannot be read: {error}",
            where=where,
            next_step="save it as UTF-8, and remove `encoding` from its first line",
        ) from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def _side(root: Element, tag: str, what: str, where: str) -> int | None:
    """Return a side of the image in pixels; None if the file does not state it."""
    text = root.findtext(tag)
    return round(_number(root, tag, what, where)) if text and text.strip() else None


def _number(element: Element, tag: str, what: str, where: str) -> float:
    """Return the finite number in a child element."""
    text = element.findtext(tag)
    if text is None or not text.strip():
        raise DataError(f"{what} lacks <{tag}>", where=where)
    try:
        number = float(text)
    except ValueError as error:
        raise DataError(f"{what}: <{tag}> must be a number, got {text!r}", where=where) from error
    if not math.isfinite(number):
        raise DataError(f"{what}: <{tag}> must be a finite number, got {text!r}", where=where)
    return number
