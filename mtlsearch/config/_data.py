"""The ``data`` part of a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_validator

from mtlsearch.config._section import OpenSection, Section

Fraction = Annotated[float, Field(ge=0, le=1)]


class SourceEntry(OpenSection):
    """One data set source; keys beside these are the source's own settings."""

    kind: str = Field(description="name of the source, see `mtlsearch datasets`")
    root: Path | None = Field(None, description="folder it lies in, below `data.root`")


class AugmentConfig(Section):
    """Random changes of training images; boxes, masks and maps follow."""

    crop: tuple[float, float] | None = Field(
        (0.6, 1.0), description="area of a random crop, as a range of fractions; null: none"
    )
    flip: Fraction = Field(0.5, description="probability of a left-right flip")
    jitter: Fraction = Field(0.2, description="strength of colour jitter; 0: none")

    @field_validator("crop")
    @classmethod
    def _fractions(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1] <= 1:
            raise ValueError(
                "crop is a range of fractions of the image, 0 < low <= high <= 1, such as "
                f"[0.6, 1.0], not {list(value)}"
            )
        return value


class DataConfig(Section):
    """Where images come from and how large the network sees them."""

    root: Path = Field(
        Path(), description="folder that the sources' roots start from; env MTLSEARCH_DATA_ROOT"
    )
    sources: tuple[SourceEntry, ...] = Field(
        min_length=1, description="one or more sources; one mapping will do for one"
    )
    image_size: tuple[PositiveInt, PositiveInt] = Field(
        (128, 128), description="height and width of the network's input; one number: square"
    )
    augment: AugmentConfig = AugmentConfig()
    val_fraction: Fraction = Field(
        0.2, description="part of `train` held out where a source has no `val` split"
    )
    max_images: PositiveInt | None = Field(
        None, description="use at most so many images of each split; for quick trials"
    )
    cache: Literal["auto"] | Path | None = Field(
        "auto",
        description="folder where resized images are kept; auto: the user's; null: memory only",
    )
    num_workers: int = Field(
        0, ge=0, description="processes that read images, threads that make batches; 0: none"
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _one_source(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @field_validator("image_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return (value, value)
        if not isinstance(value, list | tuple):
            raise ValueError(
                "image_size is a number of pixels or [height, width], such as 224 or [192, 256], "
                f"not {value!r}"
            )
        return value
