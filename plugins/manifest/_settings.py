"""Options of the source ``manifest``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mtlsearch.plugin import Form, Settings


class ColumnSettings(Settings):
    """Options of one label."""

    form: Form = Field(description="form: category, categories, boxes, mask or map")
    column: str | None = Field(None, description="name of the column; null: the name of the label")
    classes: tuple[str, ...] | None = Field(
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
    box_format: Literal["xyxy", "xywh"] = Field(
        "xyxy",
        description="numbers of a box in a cell: xyxy: left, top, right, bottom; xywh: left, top, "
        "width, height",
    )
    one_based: bool = Field(
        True, description="box XML counts pixels from 1 and includes xmax and ymax, as in VOC"
    )
    scale: float = Field(1.0, description="factor of a map: values are raw * scale + offset")
    offset: float = Field(0.0, description="offset of a map; see scale")
    invalid: float = Field(
        0.0, description="raw value of a map without measurement, which becomes 0; can be .nan"
    )
    channels: int = Field(1, ge=1, description="number of channels of a map")
    unit: str = Field("", description="unit of a map, after scaling")

    @field_validator("classes", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # YAML reads [1, 2, 3] as numbers, but class names are strings.
        if isinstance(value, list | tuple):
            return tuple(str(item) if isinstance(item, int) else item for item in value)
        return value

    @model_validator(mode="after")
    def _check_classes(self) -> ColumnSettings:
        if self.classes is not None and self.classes_file is not None:
            raise ValueError("set `classes` or `classes_file`, not both")
        has_classes = self.classes is not None or self.classes_file is not None
        if self.form in (Form.BOXES, Form.MASK) and not has_classes:
            raise ValueError(
                f"a label of the form {self.form.value} needs `classes` or `classes_file`"
            )
        if self.index_offset is not None and self.form is not Form.MAP and not has_classes:
            raise ValueError("`index_offset` needs `classes` or `classes_file`")
        if self.form is Form.MAP and has_classes:
            raise ValueError("a label of the form map has no `classes`")
        return self


class ManifestSettings(Settings):
    """Options of a table and its columns."""

    file: Path = Field(Path("manifest.csv"), description="file of the table: .csv, .tsv or .jsonl")
    image_column: str = Field("image", description="name of the column with image paths")
    split_column: str = Field(
        "split",
        description="name of the column with train, val or test; without it, all rows are train",
    )
    test_fraction: float = Field(
        0.0, ge=0, lt=1, description="fraction of rows for test, without a split column"
    )
    labels: dict[str, ColumnSettings] = Field(
        min_length=1, description="options of each label, by label name"
    )
