"""Placement of workers on the nodes of a Ray cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import ray

from mtlsearch.cli._cluster_share import Share
from mtlsearch.cli._console import Console
from mtlsearch.cli._node_process import Kind, Message, NodeProcess, WorkerRequest

READ_SECONDS = 10.0
"""Longest time of one call that reads a worker's messages."""


class RayLauncher:
    """Places workers on the nodes of the connected Ray cluster.

    Each worker is a process that an actor starts on its node. Ray reserves the GPU and the cores
    of the actor, and reports when it or its node dies.

    Attributes:
        resources: what a worker waits for.

    Args:
        request: the worker.
        share: what each worker gets of the cluster.
        console: prints the reports of Ray, with ``--verbose``.
    """

    def __init__(self, request: WorkerRequest, share: Share, console: Console) -> None:
        self.resources = str(share)
        self._request = request
        self._console = console
        self._actor = ray.remote(NodeProcess).options(
            num_cpus=share.num_cpus,
            num_gpus=share.num_gpus,
            scheduling_strategy="SPREAD",
            max_concurrency=2,  # an interrupt does not wait for a call that reads
            max_restarts=0,  # the supervisor counts restarts
        )
        self._actors: dict[int, Any] = {}
        self._reads: dict[Any, int] = {}

    def start(self, index: int) -> None:
        """Ask Ray for a node for a worker; return before there is one."""
        self._actors[index] = self._actor.remote(self._request)
        self._read(index)

    def receive(self, seconds: float) -> Iterator[tuple[int, Message]]:
        """Wait for messages of the workers, for at most some seconds."""
        if not self._reads:  # all workers pause before they start again
            time.sleep(seconds)
            return
        ready, _ = ray.wait([*self._reads], timeout=seconds)
        for reference in ready:
            index = self._reads.pop(reference)
            try:
                messages = ray.get(reference)
            except ray.exceptions.RayTaskError:  # an error of NodeProcess.read
                raise
            except ray.exceptions.RayError as error:
                self._console.debug(f"worker {index + 1}: {error}")
                yield index, _message_of(error)
            else:
                self._read(index)  # behind the others
                for message in messages:
                    yield index, message

    def interrupt(self) -> None:
        """Let all workers end their trials as interrupted."""
        for actor in self._actors.values():
            actor.interrupt.remote()

    def release(self, index: int) -> None:
        """Free the node of a worker that has ended, or that no longer waits for one."""
        self._reads = {
            reference: worker for reference, worker in self._reads.items() if worker != index
        }
        actor = self._actors.pop(index, None)
        if actor is not None:
            ray.kill(actor)

    def _read(self, index: int) -> None:
        self._reads[self._actors[index].read.remote(READ_SECONDS)] = index


def _message_of(error: Any) -> Message:
    """Return what an error of Ray means for a worker."""
    if getattr(error, "actor_init_failed", False):
        *_, last = str(error).strip().splitlines()
        return Message(Kind.REFUSED, f"Ray cannot start a worker there: {last}")
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return Message(Kind.LOST, "Ray ended its process, since the memory of the node is full")
    return Message(Kind.LOST, "its node or its Ray process was lost")
