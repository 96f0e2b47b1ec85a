"""The cache package."""

from mtlsearch.data.cache._cache import SampleCache
from mtlsearch.data.cache._entry import Place, cache_folder, explained
from mtlsearch.data.cache._label_column import PLANES
from mtlsearch.data.cache._split_file import SplitWriter

__all__ = [
    "PLANES",
    "Place",
    "SampleCache",
    "SplitWriter",
    "cache_folder",
    "explained",
]
