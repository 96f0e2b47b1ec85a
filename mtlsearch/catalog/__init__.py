"""Plugins gathered: what there is by name, and what failed to load and why.

::

    from mtlsearch.catalog import build_catalog

    catalog = build_catalog()
    list(catalog.spaces)            # names, sorted
    catalog.failures                # plugins that did not load, each with its cause
    sources = catalog.open_sources(loaded)
    space = catalog.space(loaded)

A catalogue is built for a run or a test and handed on; there is no global one.
"""

from mtlsearch.catalog._catalog import Catalog, build_catalog
from mtlsearch.catalog._found import is_of_plugin
from mtlsearch.catalog._hooks import HOOKS
from mtlsearch.catalog._plugins import LoadedPlugin, PluginFailure

__all__ = [
    "HOOKS",
    "Catalog",
    "LoadedPlugin",
    "PluginFailure",
    "build_catalog",
    "is_of_plugin",
]
