"""What a run file says of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mtlsearch.plugin import Form, Settings


class ColumnSettings(Settings):
    """How a column is read as a label."""

    form: Form = Field(description="category, categories, boxes, mask or map")
    column: str | None = Field(None, description="the column; null: the label's own name")
    classes: tuple[str, ...] | None = Field(
        None, description="class names by index; null: all that occur in the column, sorted"
    )
    classes_file: Path | None = Field(None, description="class names, one a line")
    index_offset: int | None = Field(
        None, description="cells are class indices counted from this number; null: class names"
        " in cells, masks counted from 0",
    )  # fmt: skip
    sep: str = Field(";", min_length=1, description="between several classes in one cell")
    ignore_index: int = Field(255, description="the mask value, as in the file, that is void")
    box_format: Literal["xyxy", "xywh"] = Field(
        "xyxy", description="four numbers of a box in a cell: edges, or left, top and size"
    )
    one_based: bool = Field(
        True, description="box XML counts pixels from 1 with xmax, ymax inside, as VOC does"
    )
    scale: float = Field(1.0, description="a map's numbers are raw * scale + offset")
    offset: float = Field(0.0, description="see scale")
    invalid: float = Field(
        0.0, description="raw number of a map that means `no value` and becomes 0; may be .nan"
    )
    channels: int = Field(1, ge=1, description="numbers a pixel of a map")
    unit: str = Field("", description="unit of a map's numbers, after scaling")

    @field_validator("classes", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # YAML reads [1, 2, 3] as numbers; class names are texts all the same.
        if isinstance(value, list | tuple):
            return tuple(str(item) if isinstance(item, int) else item for item in value)
        return value

    @model_validator(mode="after")
    def _one_list_of_classes(self) -> ColumnSettings:
        if self.classes is not None and self.classes_file is not None:
            raise ValueError("give classes or classes_file, not both")
        named = self.classes is not None or self.classes_file is not None
        if self.form in (Form.BOXES, Form.MASK) and not named:
            raise ValueError(f"a label of form {self.form.value} needs classes or classes_file")
        if self.index_offset is not None and self.form is not Form.MAP and not named:
            raise ValueError("index_offset needs classes or classes_file")
        if self.form is Form.MAP and named:
            raise ValueError("a map has no classes")
        return self


class ManifestSettings(Settings):
    """A table and its columns."""

    file: Path = Field(Path("manifest.csv"), description="the table: .csv, .tsv or .jsonl")
    image_column: str = Field("image", description="column with the images' paths")
    split_column: str = Field(
        "split", description="column with train, val or test; without it all rows are train"
    )
    test_fraction: float = Field(
        0.0, ge=0, lt=1, description="part held out as test where there is no split column"
    )
    labels: dict[str, ColumnSettings] = Field(min_length=1, description="label name to column")
