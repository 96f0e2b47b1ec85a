"""Workers on a Ray cluster; only ``--executor ray`` imports this file, and Ray."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlsearch.cli._cluster_share import Share, share_cluster
from mtlsearch.cli._console import Console
from mtlsearch.cli._node_process import WorkerRequest
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._supervisor import Supervisor
from mtlsearch.cli._worker_processes import THREADS
from mtlsearch.errors import ConfigError, RunError

if TYPE_CHECKING:
    from mtlsearch.study import RunDirectory

CONNECT_SECONDS = 10.0
"""Longest time until the head node of a cluster answers."""

JOURNAL_ON_HOSTS = (
    "several machines write to one journal file: set `search.storage` to a database, unless file "
    "locks work on the disk of the run directory"
)

SETTINGS = "MTLSEARCH_"
"""Start of the environment variables that all workers get from the search."""


class _Details(TextIOBase):
    """Text stream that prints its lines with ``--verbose`` only."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        """Print the lines of a text."""
        for line in text.splitlines():
            if line.strip():
                self._console.debug(line.rstrip())
        return len(text)


def _require_head_node(address: str) -> None:
    """Check that a port answers; Ray itself would try again for many minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return  # `auto` or another word that Ray resolves or refuses
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise RunError(
            f"no Ray cluster answers: {error.strerror or error}",
            where=f"--address {address}",
            next_step="start one with `ray start --head`, or set the address of its head node",
        ) from error


@contextmanager
def connected_cluster(address: str, console: Console) -> Iterator[None]:
    """Connect to a Ray cluster.

    Args:
        address: ``auto`` for the cluster of this machine or of ``RAY_ADDRESS``; otherwise
            ``HOST:PORT`` of its head node.
        console: prints what Ray prints, with ``--verbose``.

    Yields:
        None. What this process has started in the cluster ends afterwards.

    Raises:
        ConfigError: the address is that of a Ray Client server.
        RunError: Ray is not installed, or no cluster answers at the address.
    """
    if address.startswith("ray://"):
        raise ConfigError(
            "the search must run on a machine of the cluster, Ray Client is not supported",
            where=f"--address {address}",
            next_step="set the address of the head node, such as HOST:6379, or `auto`",
        )
    try:
        import ray
    except ModuleNotFoundError as error:
        raise RunError(
            "Ray is not installed",
            where="--executor ray",
            next_step="install the extra: pip install 'mtlsearch[ray]'",
        ) from error
    _require_head_node(os.environ.get("RAY_ADDRESS", "") if address == "auto" else address)
    # Ray prints messages about nodes to the standard output, which is for results only.
    with redirect_stdout(_Details(console)):
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise RunError(
                f"the Ray cluster cannot be joined: {str(error).partition(chr(10))[0]}",
                where=f"--address {address}",
                next_step="start one with `ray start --head`, or set the address of its head node",
            ) from error
        try:
            yield
        finally:
            ray.shutdown()


def search_on_ray(
    make_arguments: Callable[[str], list[str]],
    count: int | None,
    file: Path,
    run: RunDirectory,
    *,
    address: str,
    device: str,
    has_journal: bool,
    console: Console,
) -> dict[str, Any]:
    """Run ``mtlsearch worker`` once per worker on a Ray cluster until all of them end.

    Args:
        make_arguments: returns the arguments after ``mtlsearch`` for a device, with absolute
            paths.
        count: number of workers; None for one per GPU, or one per node without a GPU.
        file: the run file.
        run: run directory; it is locked during the search.
        address: see :func:`connected_cluster`.
        device: ``auto``, ``cpu`` or ``cuda``.
        has_journal: whether the study is in a journal file.
        console: prints messages.

    Returns:
        The outcome that a worker has written.

    Raises:
        ConfigError: address or device do not fit the cluster.
        RunError: Ray is not installed, no cluster answers, or the run directory is in use.
        WorkerFailedError: a worker ended with an error. The others were interrupted.
        InfrastructureError: all workers died too often.
        KeyboardInterrupt: the user interrupted the search.
    """
    with connected_cluster(address, console):
        from mtlsearch.cli._ray_launcher import RayLauncher

        nodes = [node for node in _nodes() if node["Alive"]]
        share = share_cluster([node["Resources"] for node in nodes], count, device)
        console.info(f"{share.num_workers} workers on a Ray cluster, {share} each")
        if has_journal and len({node["NodeManagerHostname"] for node in nodes}) > 1:
            console.warning(JOURNAL_ON_HOSTS)
        arguments = make_arguments("cuda" if share.num_gpus else "cpu")
        with run.locked(), ProgressView(console) as view:
            request = _make_request(arguments, file, run.owner_file, share)
            launcher = RayLauncher(request, share, console)
            return Supervisor(launcher, share.num_workers, view).run()


def _nodes() -> list[dict[str, Any]]:
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes


def _make_request(
    arguments: Sequence[str], file: Path, owner_file: Path, share: Share
) -> WorkerRequest:
    settings = {name: os.environ[name] for name in os.environ if name.startswith(SETTINGS)}
    return WorkerRequest(
        arguments=tuple(arguments),
        environment={THREADS: str(max(1, share.num_cpus)), **settings},
        folder=Path.cwd(),
        file=file.absolute(),
        shared_file=owner_file.absolute(),
        shared_text=owner_file.read_text(encoding="utf-8"),
    )
