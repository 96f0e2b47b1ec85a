"""Options of the source ``yolo``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mtlsearch.plugin import Settings


class YoloSettings(Settings):
    """Options of the source ``yolo``."""

    file: Path = Field(Path("data.yaml"), description="YAML file with train, val, test and names")
    boxes: bool = Field(True, description="whether to read the label `boxes`")
    segmentation: bool = Field(
        False, description="whether to draw the label `segmentation` from the polygons"
    )
    presence: bool = Field(
        False, description="whether to add the label `classes`: the classes that occur in an image"
    )
