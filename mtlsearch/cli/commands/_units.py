"""``mtlsearch units``."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import typer

from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.errors import ConfigError


def units(
    ctx: typer.Context,
    backbone: Annotated[str, typer.Argument(metavar="BACKBONE", help="Name of a timm model.")],
    granularity: Annotated[
        str, typer.Option(metavar="GRANULARITY", help="stage, block or a number of units.")
    ] = "stage",
    size: Annotated[
        str,
        typer.Option(metavar="SIZE", help="Image size in pixels: 128, or height x width: 128x160."),
    ] = "128",
) -> None:
    """List the units of a backbone, the parts that tasks can share."""
    parsed_granularity, image_size = _granularity(granularity), _size(size)

    from mtlsearch.models import cut_backbone

    options = GlobalOptions.of(ctx)
    cut = cut_backbone(backbone, image_size, granularity=parsed_granularity)
    rows = [
        (
            str(unit.index),
            unit.name,
            str(unit.channels),
            str(unit.stride),
            f"{unit.parameters:,}",
            f"{unit.flops / 1e6:,.1f} M",
        )
        for unit in cut.units
    ]
    options.console.table(("unit", "modules", "channels", "stride", "parameters", "FLOPs"), rows)
    levels = ", ".join(
        f"{level.channels} channels at stride {level.stride}" for level in cut.features.levels
    )
    options.console.debug(f"feature levels for the heads: {levels}")


def _granularity(text: str) -> Literal["stage", "block"] | int:
    if text in ("stage", "block"):
        return cast("Literal['stage', 'block']", text)
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigError(
        f"`--granularity` must be stage, block or a number of units, got {text!r}",
        where="--granularity",
        allowed=["stage", "block", "a number of units"],
    )


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise ConfigError(
            f"`--size` must be one or two numbers of pixels, got {text!r}",
            where="--size",
            allowed=["128", "128x160 (height x width)"],
        )
    return int(sides[0]), int(sides[-1])
