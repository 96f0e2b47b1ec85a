"""Cache of prepared samples: every image is decoded once, in this run and in later runs.

A split whose images come from files is stored as one *cache entry*, a folder whose name is a
fingerprint of everything that determines its samples. Later runs read single samples of the entry.
Other samples stay in memory.

* ``_fingerprint.py`` computes the name: files, settings, labels, size, and the code of the
  source.
* ``_entry.py`` locks, creates and commits the folder, so that it exists completely or not at
  all.
* ``_split_file.py`` writes and reads its files, with ``_array_file.py`` for images and dense
  labels and ``_label_column.py`` for classes and boxes.
* ``_cache.py`` looks samples up in entries or in memory.
"""

from mtlsearch.data.cache._cache import SampleCache
from mtlsearch.data.cache._entry import CacheEntry, cache_folder, translate_disk_errors
from mtlsearch.data.cache._split_file import CachedSplit, SplitWriter

__all__ = [
    "CacheEntry",
    "CachedSplit",
    "SampleCache",
    "SplitWriter",
    "cache_folder",
    "translate_disk_errors",
]
