"""The ``backbone`` part of a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mtlsearch.config._section import Section


class BackboneConfig(Section):
    """A timm backbone and how finely it is cut."""

    name: str | tuple[str, ...] = Field(
        "resnet18", description="a timm name, or a list of them to search over"
    )
    granularity: Literal["stage", "block"] | Annotated[int, Field(ge=1)] = Field(
        "stage", description="what a unit is: a stage, a block, or a number of units"
    )
    pretrained: bool = Field(False, description="start from timm's weights (downloads them)")
    checkpoint_path: Path | None = Field(
        None, description="start from a weights file: safetensors or a torch state dict"
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The backbones to choose from."""
        return (self.name,) if isinstance(self.name, str) else self.name
