"""Plugin registry: all plugins, what they add by name, and run files resolved with them.

::

    from mtlsearch.registry import build_registry

    registry = build_registry()
    list(registry.spaces)             # names, sorted
    registry.tasks.find("detection")  # the class; an unknown name is an error
    registry.failures                 # plugins that failed to load, with the cause
    resolved = registry.resolve(loaded)
    sources = resolved.open_sources()
    space = resolved.build_space()

A registry is built per run or test and passed on. No global registry exists.
"""

from mtlsearch.registry._discovery import is_of_plugin
from mtlsearch.registry._hooks import HOOKS
from mtlsearch.registry._name_table import NameTable
from mtlsearch.registry._open_run import open_run
from mtlsearch.registry._plugins import LoadedPlugin, PluginFailure
from mtlsearch.registry._registry import PluginRegistry, build_registry
from mtlsearch.registry._resolved_run import ResolvedRun

__all__ = [
    "HOOKS",
    "LoadedPlugin",
    "NameTable",
    "PluginFailure",
    "PluginRegistry",
    "ResolvedRun",
    "build_registry",
    "is_of_plugin",
    "open_run",
]
