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

from mtlsearch.registry._discovery import is_of_plugin
from mtlsearch.registry._hooks import HOOKS
from mtlsearch.registry._plugins import LoadedPlugin, PluginFailure
from mtlsearch.registry._registry import Catalog, build_catalog

__all__ = [
    "HOOKS",
    "Catalog",
    "LoadedPlugin",
    "PluginFailure",
    "build_catalog",
    "is_of_plugin",
]
