"""Loading: timm models by name, with random, pretrained or stored weights.

>>> from mtlsearch.models.loading import create_model, list_backbones, pixel_statistics
>>> list_backbones("test_vit?")
['test_vit2', 'test_vit3', 'test_vit4']
>>> model = create_model("test_vit", (64, 64), pretrained=False, seed=0)
>>> pixel_statistics(model)
((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""

from mtlsearch.models.loading._create import (
    create_model,
    list_backbones,
    pixel_statistics,
    require_backbone,
)
from mtlsearch.models.loading._weights import load_weights

__all__ = [
    "create_model",
    "list_backbones",
    "load_weights",
    "pixel_statistics",
    "require_backbone",
]
