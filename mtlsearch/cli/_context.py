"""First steps of most commands: open the run file, the plugins and the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from mtlsearch.cli._global_options import GlobalOptions
    from mtlsearch.config import LoadedRun, Override
    from mtlsearch.registry import PluginRegistry, ResolvedRun


def open_registry(options: GlobalOptions) -> PluginRegistry:
    """Load the installed plugins and those of ``--plugins``."""
    from mtlsearch.registry import build_registry

    return build_registry(options.plugins)


def open_run(
    file: Path, options: GlobalOptions, overrides: Sequence[str | Override] = ()
) -> ResolvedRun:
    """Load a run file and its plugins, and check both; open no data.

    Raises:
        ConfigError: the run file is invalid; the message lists every problem with its line.
        PluginError: no plugin adds a name of the run file.
    """
    import os

    from mtlsearch.config import load_run

    # The run file comes first: its errors need no plugin.
    loaded = load_run(file, overrides, env=os.environ, plugins=options.plugins)

    from mtlsearch.registry import open_run as open_loaded

    return open_loaded(loaded)


def reopen_run(run: Path, options: GlobalOptions, data_root: Path | None = None) -> ResolvedRun:
    """Load the run file of a run directory and its plugins.

    Args:
        run: run directory.
        options: options of all commands.
        data_root: value of ``--data-root``; None for the folder of the search.

    Returns:
        The run file with its plugins.

    Raises:
        RunError: the folder is not a run directory.
    """
    loaded = read_run(run, options, data_root)

    from mtlsearch.registry import build_registry

    return build_registry(loaded.config.plugins).resolve(loaded)


def read_run(run: Path, options: GlobalOptions, data_root: Path | None = None) -> LoadedRun:
    """Load the run file of a run directory; load no plugin.

    Args:
        run: run directory.
        options: options of all commands.
        data_root: value of ``--data-root``; None for the folder of the search.

    Returns:
        The run file.

    Raises:
        RunError: the folder is not a run directory.
    """
    from mtlsearch.study import read_run as read_file

    if data_root is None:
        return read_file(run, plugins=options.plugins)

    from mtlsearch.config import Override

    override = Override(("data", "root"), str(data_root), f"--data-root {data_root}")
    return read_file(run, plugins=options.plugins, overrides=[override])


def pick_device(name: str) -> torch.device:
    """Return the device of a name.

    Args:
        name: ``auto`` (a GPU if available), ``cpu``, ``cuda``, ``cuda:1`` or ``1``.

    Returns:
        The device.

    Raises:
        ConfigError: the device is not available.
    """
    import torch

    from mtlsearch.errors import ConfigError

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    allowed = ["auto", "cpu", *(["cuda"] if gpus else []), *gpus]
    device = f"cuda:{name}" if name.isdecimal() else name
    if device not in allowed:
        reason = "" if gpus or device == "cpu" else ": no GPU was found"
        raise ConfigError(
            f"device {name!r} is not available{reason}", where="--device", allowed=allowed
        )
    return torch.device(device)
