"""Creation of timm models by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import nn

from mtlsearch.errors import BackboneError, UnknownNameError, nearest
from mtlsearch.models.loading._hub import (
    WITHOUT_DOWNLOAD,
    WITHOUT_HUB,
    check_hub,
    is_described,
    is_on_hub,
)

ImageSize = tuple[int, int]

MAX_SUGGESTED = 8
"""Number of models whose names begin as an unknown one that an error lists."""


def list_backbones(pattern: str = "") -> list[str]:
    """List the timm architectures.

    Args:
        pattern: a shell pattern such as ``"convnext*"``; all names by default.

    Returns:
        Names, sorted.
    """
    return sorted(timm.list_models(pattern))


def create_model(
    name: str, image_size: ImageSize, *, pretrained: bool, seed: int, channels: int = 3
) -> nn.Module:
    """Create a timm model without a classifier.

    PyTorch's global random generator does not change.

    Args:
        name: timm's name, with or without a weights tag.
        image_size: ``(height, width)`` of the images in pixels.
        pretrained: whether to load timm's weights, which are downloaded if necessary.
        seed: seed of the random initial weights.
        channels: number of channels of the images. timm adapts pretrained weights: it sums the
            first convolution's weights for one channel, and repeats them for other numbers.

    Returns:
        The model. Its activations do not modify their inputs in place.

    Raises:
        UnknownNameError: timm has no such model.
        BackboneError: the weights are not available, or the model does not support the image
            size.
    """
    require_backbone(name)
    if pretrained or is_on_hub(name):
        check_hub(name)
    try:
        arguments: dict[str, Any] = {"img_size": image_size} if _has_fixed_size(name) else {}
        if channels != 3:
            arguments["in_chans"] = channels
        return _create(name, seed, pretrained=pretrained, **arguments)
    except Exception as error:  # timm, the hub's client and PyTorch raise different classes
        if pretrained:
            raise BackboneError(
                f"cannot load the pretrained weights of {name!r}: {error}",
                where="backbone.pretrained",
                next_step=WITHOUT_DOWNLOAD,
            ) from error
        if is_on_hub(name) and not is_described(name):
            raise BackboneError(
                f"cannot download the description of {name!r}: {error}", next_step=WITHOUT_HUB
            ) from error
        bands = "" if channels == 3 else f" and {channels} channels"
        raise BackboneError(
            f"timm cannot create {name!r} for images of {image_size[0]}x{image_size[1]}{bands}: "
            f"{error}",
            next_step="set an image size that is a multiple of 32, or the model's own size",
        ) from error


def pixel_statistics(model: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of pixels that a model's weights expect.

    Args:
        model: a timm model.

    Returns:
        Mean and standard deviation, one number per channel, for pixels in 0..1. ImageNet's
        where the model does not specify them.
    """
    config: Mapping[str, Any] = getattr(model, "pretrained_cfg", None) or {}
    mean = config.get("mean") or IMAGENET_DEFAULT_MEAN
    std = config.get("std") or IMAGENET_DEFAULT_STD
    return tuple(map(float, mean)), tuple(map(float, std))


def require_backbone(name: str, *, where: str | None = None) -> None:
    """Check that timm has a model of some name, without creating it.

    Args:
        name: timm's name, or a name with timm's own prefix such as ``local-dir:``.
        where: key of the name, for the message.

    Raises:
        UnknownNameError: timm has no such model; the message suggests the nearest name.
    """
    base, _, rest = name.partition(":")
    if rest or timm.is_model(base):  # timm itself resolves "local-dir:weights/" and "hf-hub:..."
        return
    names = timm.list_models()  # more than a thousand
    similar = [item for item in names if item.startswith(name)][:MAX_SUGGESTED]
    closest = nearest(name, names)
    raise UnknownNameError(
        "timm model",
        name,
        similar or ([] if closest is None else [closest]),
        where=where,
        next_step="`mtlsearch list backbones` lists all names",
    )


def _has_fixed_size(name: str) -> bool:
    """Return whether a model takes ``img_size``, which timm marks by ``fixed_input_size``."""
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(config is not None and config.fixed_input_size)


def _create(name: str, seed: int, **arguments: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = timm.create_model(name, num_classes=0, **arguments)
    for module in model.modules():
        if getattr(module, "inplace", None) is True:
            # An in-place activation would modify outputs in the activation cache.
            module.inplace = False  # type: ignore[assignment]
    return model
