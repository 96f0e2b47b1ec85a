"""What most commands begin with: the run file, the plugins, the device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from mtlsearch.cli._global_options import Shell
    from mtlsearch.config import LoadedRun
    from mtlsearch.registry import PluginRegistry, ResolvedRun


def open_catalog(shell: Shell) -> PluginRegistry:
    """The plugins of the environment and of ``--plugins``."""
    from mtlsearch.registry import build_registry

    return build_registry(shell.plugins)


def open_run(file: Path, shell: Shell, overrides: Sequence[str] = ()) -> ResolvedRun:
    """Load a run file and its plugins, and check both; open no data.

    Raises:
        ConfigError: something is wrong with it; every problem is listed with its line.
        PluginError: it asks for what no plugin gives.
    """
    from mtlsearch.config import load_run

    loaded = load_run(file, overrides, env=os.environ, plugins=shell.plugins)
    loaded.require_one_start()
    loaded.require_paths()

    from mtlsearch.registry import build_registry

    return build_registry(loaded.config.plugins).resolve(loaded)


def reopen_run(run: Path, shell: Shell) -> ResolvedRun:
    """The run file that a run directory keeps, and its plugins.

    Raises:
        RunError: there is no run.
    """
    loaded = read_run(run, shell)

    from mtlsearch.registry import build_registry

    return build_registry(loaded.config.plugins).resolve(loaded)


def read_run(run: Path, shell: Shell) -> LoadedRun:
    """The run file that a run directory keeps; loads no plugin.

    Raises:
        RunError: there is no run.
    """
    from mtlsearch.config import STORAGE_PASSWORD, load_run
    from mtlsearch.study import RunDirectory

    folder = RunDirectory(run)
    folder.require()
    # Nothing else of the environment: a run stays with the data that it was begun with.
    env = {STORAGE_PASSWORD: os.environ.get(STORAGE_PASSWORD, "")}
    return load_run(folder.config, env=env, plugins=shell.plugins)


def run_name(file: Path) -> str:
    """``my-run/run.yaml`` is called ``my-run``, ``examples/scenes.yaml`` ``scenes``."""
    return file.resolve().parent.name if file.stem == "run" else file.stem


def pick_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is the GPU where there is one.

    Raises:
        ConfigError: there is no such device.
    """
    import torch

    from mtlsearch.errors import ConfigError

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    present = ["cpu", *(f"cuda:{at}" for at in range(torch.cuda.device_count()))]
    allowed = ["auto", *present, *(["cuda"] if len(present) > 1 else [])]
    if name not in allowed:
        raise ConfigError(f"there is no device {name!r}", where="--device", allowed=allowed)
    return torch.device(name)
