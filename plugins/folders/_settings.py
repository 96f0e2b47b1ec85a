"""Options of the source ``folders``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mtlsearch.plugin import ClassNames, Settings


class FoldersSettings(Settings):
    """Options of the source ``folders``."""

    label: str = Field("class", description="name of the label")
    classes: ClassNames | None = Field(
        None, description="names of the class folders by index; null: those of `train`, sorted"
    )
    train: Path | None = Field(
        None,
        description="folder with the class folders of train; null: the folder train, or the "
        "source's root if there is none",
    )
    val: Path | None = Field(
        None,
        description="folder with the class folders of val; null: val, valid or validation if it "
        "exists beside train",
    )
    test: Path | None = Field(
        None, description="folder with the class folders of test; null: test if it exists"
    )
