"""``environment.json``: versions and hardware on which a search ran."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write, load_json
from mtlsearch.study import RunDirectory

if TYPE_CHECKING:
    import torch

PACKAGES = ("mtlsearch", "torch", "torchvision", "timm", "optuna", "numpy", "pillow")
"""Packages on which the numbers of a training depend."""

Environment = Mapping[str, str]
"""Value by name, such as ``{"torch": "2.11.0", "device": "NVIDIA H200"}``."""


def current_environment(device: torch.device) -> Environment:
    """Return the versions and the hardware of this process.

    Args:
        device: device of the training.

    Returns:
        Versions of Python and of the packages, operating system, device, and the number of
        threads on a CPU.
    """
    import torch

    hardware = {"device": str(device)}
    if device.type == "cpu":
        hardware = {"device": _processor(), "threads": str(torch.get_num_threads())}
    elif device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        hardware = {"device": name, "cuda": str(torch.version.cuda)}
    return {
        **{name: number for name in PACKAGES if (number := _version(name))},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **hardware,
    }


WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables that decide how the threads of torch wait for each other."""


def describe_threads() -> str:
    """Return the number of threads of a training on a CPU, and how they wait for each other.

    Returns:
        A text such as ``2 threads (GOMP_SPINCOUNT=1000)``.
    """
    import torch

    count = torch.get_num_threads()
    if count == 1:
        return "1 thread"
    waiting = [f"{name}={os.environ[name]}" for name in WAITING if name in os.environ]
    return f"{count} threads ({', '.join(waiting) or 'they spin while they wait'})"


def record_environment(run: RunDirectory, device: torch.device) -> None:
    """Add the environment of this process to ``environment.json``, once.

    Args:
        run: run directory, which is locked.
        device: device of the training.
    """
    environment = current_environment(device)
    recorded = [*read_environments(run.path)]
    if environment in recorded:
        return
    with atomic_write(run.environment) as temporary:
        text = json.dumps([*recorded, environment], indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_environments(out: Path) -> Sequence[Environment]:
    """Return the environments in which a search ran, in the order of their first use.

    Args:
        out: run directory.

    Returns:
        One mapping per environment; empty for a run of an earlier version.

    Raises:
        RunError: the file is damaged.
    """
    path = RunDirectory(out).environment
    if not path.is_file():
        return []
    try:
        value = load_json(path.read_text(encoding="utf-8"))
        return [{str(key): str(item) for key, item in entry.items()} for entry in value]
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(
            f"the record of the environment is damaged ({error})",
            where=str(path),
            next_step="delete the file: the next search in this folder writes it again",
        ) from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a checkout that is not installed
        return ""


def _processor() -> str:
    """Return the name of the processor; its architecture where the system does not tell it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
