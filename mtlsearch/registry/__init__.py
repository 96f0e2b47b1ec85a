"""Plugins gathered: what there is by name, and what failed to load and why.

::

    from mtlsearch.catalog import build_registry

    catalog = build_registry()
    list(catalog.spaces)            # names, sorted
    catalog.failures                # plugins that did not load, each with its cause
    sources = catalog.open_sources(loaded)
    space = catalog.space(loaded)

A catalogue is built for a run or a test and handed on; there is no global one.
"""

from mtlsearch.registry._discovery import is_of_plugin
from mtlsearch.registry._hooks import HOOKS
from mtlsearch.registry._plugins import LoadedPlugin, PluginFailure
from mtlsearch.registry._registry import PluginRegistry, build_registry

__all__ = [
    "HOOKS",
    "LoadedPlugin",
    "PluginFailure",
    "PluginRegistry",
    "build_registry",
    "is_of_plugin",
]
