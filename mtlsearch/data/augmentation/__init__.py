"""The augmentation package."""

from mtlsearch.data.augmentation._pipeline import BatchTransform

__all__ = [
    "BatchTransform",
]
