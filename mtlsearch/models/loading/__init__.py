"""The loading package."""

from mtlsearch.models.loading._create import (
    list_backbones,
    make_model,
    pixel_statistics,
    require_backbone,
)
from mtlsearch.models.loading._weights import load_weights

__all__ = [
    "list_backbones",
    "load_weights",
    "make_model",
    "pixel_statistics",
    "require_backbone",
]
