"""First step of a search: the run file and its plugins, both checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlsearch.config import LoadedRun, Override, RunConfig, load_run
from mtlsearch.registry._registry import build_registry
from mtlsearch.registry._resolved_run import ResolvedRun


def open_run(
    source: str | Path | Mapping[str, Any] | RunConfig | LoadedRun,
    overrides: Sequence[str | Override] = (),
    *,
    plugins: Sequence[Path] = (),
) -> ResolvedRun:
    """Load a run file and its plugins, and check both; open no data.

    Args:
        source: the run file, loaded or not, or its values, see
            :func:`mtlsearch.config.load_run`.
        overrides: values that replace those of the run file and of the environment.
        plugins: additional plugin folders.

    Returns:
        The run file with its plugins.

    Raises:
        ConfigError: the run file is invalid; the message lists every problem with its line.
        PluginError: no plugin adds a name of the run file.
    """
    if isinstance(source, LoadedRun):
        loaded = source
    else:
        loaded = load_run(source, overrides, env=os.environ, plugins=plugins)
    loaded.require_one_start()
    loaded.require_paths()
    return build_registry(loaded.config.plugins).resolve(loaded)
