"""Files that appear whole or not at all; the standard library alone.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> from mtlsearch.files import unfinished
>>> with TemporaryDirectory() as folder:
...     file = Path(folder) / "runs" / "note.txt"
...     with unfinished(file) as temporary:
...         _ = temporary.write_text("done")
...         seen = file.exists()
...     seen, file.read_text()
(False, 'done')
"""

from mtlsearch.files._atomic import atomic_write

__all__ = ["atomic_write"]
