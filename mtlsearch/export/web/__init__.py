"""The page of a bundle: its network in a browser, by onnxruntime-web.

::

    from mtlsearch.export.web import copy_runtime, write_page

    copy_runtime(Path("onnxruntime-web-1.24.3.tgz"), Path("winner/web"))
    write_page(Path("winner/web"), manifest, "winner")
"""

from mtlsearch.export.web._page import require_web, write_page
from mtlsearch.export.web._runtime_files import FILES, PACKAGE, VERSION, copy_runtime

__all__ = ["FILES", "PACKAGE", "VERSION", "copy_runtime", "require_web", "write_page"]
