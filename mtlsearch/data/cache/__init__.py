"""The cache package."""

from mtlsearch.data.cache._cache import SampleCache
from mtlsearch.data.cache._entry import CacheEntry, cache_folder, explained
from mtlsearch.data.cache._label_column import PLANES
from mtlsearch.data.cache._split_file import SplitWriter

__all__ = [
    "PLANES",
    "CacheEntry",
    "SampleCache",
    "SplitWriter",
    "cache_folder",
    "explained",
]
