"""Section ``data`` of a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator
from pydantic_core import PydanticCustomError

from mtlsearch.config._section import OpenSection, Section

Fraction = Annotated[float, Field(ge=0, le=1)]

MAX_NUMBERS, BYTES_PER_NUMBER = 2**28, 4
"""Largest number of pixels times channels of the network's input, and bytes of each (float32)."""


class SourceEntry(OpenSection):
    """One data set source. All other keys are settings of the source."""

    kind: str = Field(description="name of the source; see `mtlsearch list datasets`")
    root: Path | None = Field(None, description="folder of the source, relative to `data.root`")


class AugmentConfig(Section):
    """Random changes of training images and their boxes, masks and maps."""

    crop: tuple[float, float] | None = Field(
        (0.6, 1.0), description="range of the area of a random crop, as fractions; null: no crop"
    )
    flip: Fraction = Field(0.5, description="probability of a horizontal flip")
    flip_vertical: Fraction = Field(0.0, description="probability of a vertical flip")
    rotate_90: Fraction = Field(
        0.0,
        description="probability of a rotation by 90, 180 or 270 degrees; needs a square "
        "`data.image_size`",
    )
    jitter: Fraction = Field(0.2, description="strength of color jitter, 0 to 1; 0: none")

    @field_validator("crop")
    @classmethod
    def _check_crop(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1] <= 1:
            raise ValueError(
                "`crop` must be a range of fractions of the image, 0 < low <= high <= 1, such as "
                f"[0.6, 1.0], got {list(value)}"
            )
        return value


class DataConfig(Section):
    """The data set sources and the size of the network's input."""

    root: Path = Field(
        Path(),
        description="folder that the sources' roots are relative to; environment variable "
        "MTLSEARCH_DATA_ROOT",
    )
    allow_outside_root: bool = Field(
        False,
        description="whether data files may refer to files outside of `data.root` and of the "
        "`root` of their source, by an absolute path, by `..` or by a link",
    )
    sources: tuple[SourceEntry, ...] = Field(
        min_length=1, description="one data set source, or a list of sources"
    )
    image_size: tuple[PositiveInt, PositiveInt] = Field(
        (128, 128),
        description="height and width of the network's input in pixels; one number: square",
    )
    channels: Literal["rgb", "rgba"] | PositiveInt = Field(
        "rgb",
        description="bands of an image that the network gets: rgb, rgba, or a number for files "
        "with that many bands (1: gray)",
    )
    pixel_range: Literal["auto"] | tuple[float, float] = Field(
        "auto",
        description="numbers that are black and white in images of more than 8 bits, such as "
        "[0, 4095]; auto: [0, 65535] for 16-bit integers",
    )
    augment: AugmentConfig = AugmentConfig()
    val_fraction: Fraction = Field(
        0.2,
        description="fraction of `train` held out for validation if a source has no `val` split",
    )
    max_images: PositiveInt | None = Field(
        None, description="maximum number of images per split, for quick tests; null: no maximum"
    )
    cache: Literal["auto"] | Path | None = Field(
        "auto",
        description="folder for resized images; auto: the user's cache folder; null: memory only",
    )
    num_workers: int = Field(
        0,
        ge=0,
        description="number of processes that read images and of threads that build batches; "
        "0: none",
    )

    @model_validator(mode="after")
    def _check_rotation(self) -> DataConfig:
        height, width = self.image_size
        if self.augment.rotate_90 and height != width:
            raise PydanticCustomError(
                "rotate_90",
                "`data.augment.rotate_90` needs a square `data.image_size`, got {size}: a rotated "
                "image has another shape; set it to 0, or use `flip` and `flip_vertical`, which "
                "together rotate by 180 degrees",
                {"key": ["data", "augment", "rotate_90"], "size": [height, width]},
            )
        return self

    @property
    def num_channels(self) -> int:
        """Number of bands of an image that the network gets."""
        # A name has one letter per band.
        return len(self.channels) if isinstance(self.channels, str) else self.channels

    @field_validator("sources", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(
                f"a source must be a mapping with `kind`, got {value!r}; "
                f"set `sources: {{kind: {value}}}`"
            )
        return [value] if isinstance(value, dict) else value

    @field_validator("pixel_range")
    @classmethod
    def _check_range(
        cls, value: Literal["auto"] | tuple[float, float]
    ) -> Literal["auto"] | tuple[float, float]:
        if value != "auto" and not value[0] < value[1]:
            raise ValueError(
                "`pixel_range` must be auto or [low, high] with low < high, such as [0, 4095], "
                f"got {list(value)}"
            )
        return value

    @model_validator(mode="after")
    def _check_memory(self) -> DataConfig:
        height, width = self.image_size
        count = height * width * self.num_channels
        if count > MAX_NUMBERS:
            raise PydanticCustomError(
                "image_memory",
                "`data.image_size` {size} with {channels} channels needs {memory} of memory for "
                "each image of a batch, at most {limit} is possible; set a smaller size, such as "
                "224, or cut the images into tiles",
                {
                    "key": ["data", "image_size"],
                    "size": [height, width],
                    "channels": self.num_channels,
                    "memory": f"{min(count, 2**60) * BYTES_PER_NUMBER / 1e9:.1f} GB",
                    "limit": f"{MAX_NUMBERS * BYTES_PER_NUMBER / 1e9:.1f} GB",
                },
            )
        return self

    @field_validator("image_size", mode="before")
    @classmethod
    def _as_pair(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return (value, value)
        if not isinstance(value, list | tuple):
            raise ValueError(
                "`image_size` must be a number of pixels or [height, width], such as 224 or "
                f"[192, 256], got {value!r}"
            )
        return value
