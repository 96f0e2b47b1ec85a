"""Options of the source ``manifest``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mtlsearch.plugin import ClassNames, Form, Settings, SizeRule

BoxFormat = Literal["xyxy", "xywh", "cxcywh"]
"""Meaning of the four numbers of a box."""


class ColumnSettings(Settings):
    """Options of one label."""

    form: Form = Field(description="form: category, categories, boxes, mask, number or map")
    column: str | None = Field(None, description="name of the column; null: the name of the label")
    columns: tuple[str, str, str, str] | None = Field(
        None,
        description="names of the columns with the four numbers of a box, instead of `column`; "
        "an image has one row per box",
    )
    class_column: str | None = Field(
        None, description="with `columns`: column of the class; null: the only class"
    )
    crowd_column: str | None = Field(
        None, description="with `columns`: column with 1 for crowd boxes and 0 for others"
    )
    no_box_if_empty: bool = Field(
        False,
        description="with `columns`: whether an image whose four cells are empty has no box, "
        "instead of a missing label",
    )
    classes: ClassNames | None = Field(
        None, description="class names by index; null: those in the column, sorted"
    )
    classes_file: Path | None = Field(None, description="file with one class name per line")
    index_offset: int | None = Field(
        None,
        description="index of the first class, for cells that contain class indices; null: cells "
        "contain class names, and masks count from 0",
    )
    sep: str = Field(";", min_length=1, description="separator of several classes in one cell")
    ignore_index: int = Field(255, description="value of void pixels in the mask file")
    values: dict[int, str | None] = Field(
        {},
        description="class name by pixel value of a mask, such as {255: cell}; null as a name: "
        "void. Other values are class indices",
    )
    format: BoxFormat = Field(
        "xyxy",
        description="numbers of a box in a cell: xyxy: left, top, right, bottom; xywh: left, top, "
        "width, height; cxcywh: center, width, height",
    )
    normalized: bool = Field(
        False,
        description="numbers of a box in a cell are fractions of the image's width and height, "
        "not pixels",
    )
    one_based: bool = Field(
        True, description="box XML counts pixels from 1 and includes xmax and ymax, as in VOC"
    )
    size: SizeRule = Field(
        "check",
        description="image size in box XML: check: must be the image's; from_image: is ignored, "
        "boxes are pixels of the image; rescale: boxes are scaled from it to the image's",
    )
    scale: float = Field(
        1.0, description="factor of a number or a map: values are raw * scale + offset"
    )
    offset: float = Field(0.0, description="offset of a number or a map; see scale")
    invalid: float = Field(
        0.0, description="raw value of a map without measurement, which becomes 0; can be .nan"
    )
    channels: int = Field(1, ge=1, description="number of channels of a map")
    unit: str = Field("", description="unit of a number or a map, after scaling")

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, value: object) -> object:
        if isinstance(value, dict) and "box_format" in value:
            raise ValueError("`box_format` was renamed to `format`")
        return value

    @model_validator(mode="after")
    def _check_classes(self) -> ColumnSettings:
        if self.classes is not None and self.classes_file is not None:
            raise ValueError("set `classes` or `classes_file`, not both")
        has_classes = self.classes is not None or self.classes_file is not None
        can_read_classes = self.class_column is not None
        needs_classes = self.form in (Form.BOXES, Form.MASK) and not can_read_classes
        if needs_classes and not has_classes:
            example = "[background, cell]" if self.form is Form.MASK else "[cat, dog]"
            raise ValueError(
                f"a label of the form {self.form.value} needs `classes` or `classes_file`, such as "
                f"`classes: {example}`"
            )
        if self.index_offset is not None and self.form is not Form.MAP and not has_classes:
            raise ValueError("`index_offset` needs `classes` or `classes_file`")
        if self.columns is None and (self.class_column or self.crowd_column):
            raise ValueError("`class_column` and `crowd_column` need `columns`")
        if self.columns is not None and (self.form is not Form.BOXES or self.column):
            raise ValueError("`columns` is for a label of the form boxes without `column`")
        if self.values and (self.form is not Form.MASK or self.index_offset is not None):
            raise ValueError("`values` is for a label of the form mask without `index_offset`")
        if self.form in (Form.NUMBER, Form.MAP) and has_classes:
            raise ValueError(f"a label of the form {self.form.value} has no `classes`")
        return self


class ManifestSettings(Settings):
    """Options of a table and its columns."""

    file: Path = Field(Path("manifest.csv"), description="file of the table: .csv, .tsv or .jsonl")
    image_column: str = Field("image", description="name of the column with image paths")
    split_column: str = Field(
        "split",
        description="name of the column with train, val or test; without it, all rows are train",
    )
    group_column: str | None = Field(
        None,
        description="name of the column with the group of an image, such as the plant that several "
        "photographs show; standard errors and confidence intervals treat a group as one image",
    )
    test_fraction: float = Field(
        0.0, ge=0, lt=1, description="fraction of rows for test, without a split column"
    )
    labels: dict[str, ColumnSettings] = Field(
        min_length=1, description="options of each label, by label name"
    )
