"""Options of the source ``voc``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mtlsearch.plugin import ClassNames, Settings, SizeRule


class VocSettings(Settings):
    """Options of the source ``voc``."""

    images: Path = Field(Path("JPEGImages"), description="folder of the images")
    annotations: Path = Field(Path("Annotations"), description="folder of the XML files")
    masks: Path = Field(Path("SegmentationClass"), description="folder of the masks")
    image_set: str | None = Field(
        "Main",
        description="folder in ImageSets with the lists of images; null, or without ImageSets: "
        "every XML file is an image of train",
    )
    classes: ClassNames | None = Field(
        None,
        description="class names in the order of mask indices; null: those in the XML, sorted",
    )
    boxes: bool = Field(True, description="whether to read the label `boxes` from `annotations`")
    segmentation: bool | None = Field(
        None,
        description="whether to read the label `segmentation` from `masks`; null: if the folder "
        "exists",
    )
    values: dict[int, str | None] = Field(
        {},
        description="class name (also background) by pixel value of the masks, such as "
        "{255: person}; null as a name: void. Other values are class indices",
    )
    presence: bool = Field(
        False, description="whether to add the label `classes`: the classes of an image's boxes"
    )
    difficult: Literal["crowd", "keep"] = Field(
        "crowd",
        description="objects marked difficult: crowd: neither targets nor false positives; keep: "
        "normal boxes",
    )
    one_based: bool = Field(
        True, description="box XML counts pixels from 1 and includes xmax and ymax, as in VOC"
    )
    size: SizeRule = Field(
        "check",
        description="image size in the XML: check: must be the image's; from_image: is ignored, "
        "boxes are pixels of the image; rescale: boxes are scaled from it to the image's",
    )
