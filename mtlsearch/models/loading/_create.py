"""An uncut timm model, made by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import nn

from mtlsearch.errors import BackboneError, UnknownNameError, nearest
from mtlsearch.models.loading._hub import WAYS_OUT, require_hub

ImageSize = tuple[int, int]


def list_backbones(pattern: str = "") -> list[str]:
    """The timm architectures, sorted.

    Args:
        pattern: a shell pattern such as ``"convnext*"``; empty lists all of them.
    """
    return sorted(timm.list_models(pattern))


def make_model(name: str, image_size: ImageSize, *, pretrained: bool, seed: int) -> nn.Module:
    """A timm model without classifier, for images of ``(height, width)`` pixels.

    The weights are drawn from ``seed``; torch's global generator is left as it was.

    Raises:
        UnknownNameError: there is no such model.
        BackboneError: its weights cannot be had, or it cannot be made for that image size.
    """
    require_backbone(name)
    if pretrained:
        require_hub(name)
    size = {"img_size": image_size} if _has_fixed_size(name) else {}
    try:
        return _create(name, seed, pretrained=pretrained, **size)
    except Exception as error:  # timm, the hub's client and torch each raise their own
        if pretrained:
            raise BackboneError(
                f"the pretrained weights of {name!r} cannot be had: {error}",
                where="backbone.pretrained",
                next_step=WAYS_OUT,
            ) from error
        raise BackboneError(
            f"timm cannot make {name!r} for images of {image_size[0]}x{image_size[1]}: {error}",
            next_step="try an image size that is a multiple of 32, or the model's own",
        ) from error


def pixel_statistics(model: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the pixels (in 0 .. 1) that the weights expect."""
    config: Mapping[str, Any] = getattr(model, "pretrained_cfg", None) or {}
    mean = config.get("mean") or IMAGENET_DEFAULT_MEAN
    std = config.get("std") or IMAGENET_DEFAULT_STD
    return tuple(map(float, mean)), tuple(map(float, std))


def require_backbone(name: str, *, where: str | None = None) -> None:
    """Be sure that timm has a model of that name; makes none.

    Args:
        name: a timm name, or one with timm's own prefix such as ``local-dir:``.
        where: where the name stands, for the message.

    Raises:
        UnknownNameError: it has none; the nearest name is suggested.
    """
    source, _, rest = name.partition(":")
    if rest or timm.is_model(source):  # "local-dir:weights/" and "hf-hub:who/what" are timm's own
        return
    near = nearest(name, timm.list_models())
    raise UnknownNameError(
        "timm model",
        name,
        [] if near is None else [near],  # of more than a thousand
        where=where,
        next_step="`mtlsearch backbones` lists the names",
    )


def _has_fixed_size(name: str) -> bool:
    """Whether the model takes ``img_size``: timm's own sign for it is ``fixed_input_size``."""
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(config is not None and config.fixed_input_size)


def _create(name: str, seed: int, **arguments: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = timm.create_model(name, num_classes=0, **arguments)
    for module in model.modules():
        if getattr(module, "inplace", None) is True:
            # An activation that overwrites its input would overwrite a remembered output.
            module.inplace = False  # type: ignore[assignment]
    return model
