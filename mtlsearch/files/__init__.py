"""Atomic writes, outputs that replace no file of the user, locks, JSON, YAML, roots of data.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> from mtlsearch.files import FileLock, atomic_write
>>> with TemporaryDirectory() as folder:
...     path = Path(folder) / "runs" / "note.txt"
...     with atomic_write(path) as temporary:
...         _ = temporary.write_text("done")
...         is_visible = path.exists()
...     with FileLock(path.with_suffix(".lock")) as lock:
...         is_visible, path.read_text(), lock.is_held
(False, 'done', True)
"""

from mtlsearch.files._atomic import atomic_write
from mtlsearch.files._json import load_json
from mtlsearch.files._lock import FileLock, LockHeldError
from mtlsearch.files._names import IMAGE_SUFFIXES, default_run_folder, unique_stems
from mtlsearch.files._outputs import RECORD, Outputs, unchanged_outputs
from mtlsearch.files._roots import Roots, confine_reading, require_below_root
from mtlsearch.files._yaml import YamlError, load_yaml

__all__ = [
    "IMAGE_SUFFIXES",
    "RECORD",
    "FileLock",
    "LockHeldError",
    "Outputs",
    "Roots",
    "YamlError",
    "atomic_write",
    "confine_reading",
    "default_run_folder",
    "load_json",
    "load_yaml",
    "require_below_root",
    "unchanged_outputs",
    "unique_stems",
]
