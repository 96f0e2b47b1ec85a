"""``mtlsearch list plugins``."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.errors import UnknownNameError

if TYPE_CHECKING:
    from mtlsearch.registry import LoadedPlugin, PluginRegistry


def list_plugins(registry: PluginRegistry, name: str | None, options: GlobalOptions) -> None:
    """Print what each plugin adds and where it comes from, and why others failed to load.

    Args:
        registry: all plugins.
        name: the only plugin to print; None for all.
        options: verbosity; ``--debug`` shows tracebacks of plugins that failed.

    Raises:
        UnknownNameError: no plugin has the name.
    """
    plugins = [plugin for plugin in registry.plugins if name in (None, plugin.name)]
    failures = [failure for failure in registry.failures if name in (None, failure.name)]
    if not plugins and not failures and name is not None:
        raise UnknownNameError("plugin", name, [plugin.name for plugin in registry.plugins])
    if plugins or name is None:
        options.console.table(
            ("plugin", "from", "adds"),  # the longest column last: it is wrapped
            [(plugin.name, _origin(plugin), _additions(plugin)) for plugin in plugins],
        )
    for failure in failures:
        options.console.error(
            f"plugin {failure.name!r} failed to load: {failure.cause}\n  where:   {failure.where}"
        )
        if options.debug and failure.error is not None:
            traceback.print_exception(failure.error)


def _additions(plugin: LoadedPlugin) -> str:
    additions = [f"{noun} {', '.join(names)}" for noun, names in plugin.contributions.items()]
    return "; ".join(additions) or "nothing"


def _origin(plugin: LoadedPlugin) -> str:
    return f"{plugin.where} ({plugin.version})" if plugin.version else plugin.where
