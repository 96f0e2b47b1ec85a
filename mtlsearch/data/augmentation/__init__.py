"""The augmentation package."""

from mtlsearch.data.augmentation._pipeline import Finish

__all__ = [
    "Finish",
]
