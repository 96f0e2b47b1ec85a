"""Section ``backbone`` of a run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mtlsearch.config._section import Section


class BackboneConfig(Section):
    """The timm backbone and how it is cut into units."""

    name: str | tuple[str, ...] = Field(
        "resnet18", description="timm model name, or a list of names to search over"
    )
    granularity: Literal["stage", "block"] | Annotated[int, Field(ge=1)] = Field(
        "stage", description="how the backbone is cut: stage, block, or a number of units"
    )
    pretrained: bool = Field(False, description="start from timm's pretrained weights (download)")
    checkpoint_path: Path | None = Field(
        None,
        description="weights file to start from: safetensors or a torch state dict; a relative "
        "path starts from the run file's folder, or from `data.root` if only that has the file",
    )
    checkpoints: dict[str, Path] | None = Field(
        None,
        description="one weights file per task, as TASK: PATH, of networks that were fine-tuned "
        "for it; units that tasks share start from the mean of their networks; paths as in "
        "`checkpoint_path`",
    )

    @property
    def has_weights(self) -> bool:
        """Whether the backbone starts from trained weights."""
        return self.pretrained or self.checkpoint_path is not None or self.checkpoints is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the backbones to search over."""
        return (self.name,) if isinstance(self.name, str) else self.name
