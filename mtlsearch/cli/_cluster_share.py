"""Resources of a cluster, divided between workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtlsearch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Share:
    """What each worker gets of a cluster.

    Attributes:
        num_workers: number of workers.
        num_gpus: GPUs of a worker, 0 or 1.
        num_cpus: CPU cores of a worker.
    """

    num_workers: int
    num_gpus: int
    num_cpus: int

    def __str__(self) -> str:
        cores = f"{self.num_cpus} CPU core{'' if self.num_cpus == 1 else 's'}"
        return f"1 GPU and {cores}" if self.num_gpus else cores


def share_cluster(nodes: Sequence[Mapping[str, float]], count: int | None, device: str) -> Share:
    """Divide the resources of a cluster between workers.

    Args:
        nodes: resources of each node, as Ray counts them: ``CPU`` and ``GPU``.
        count: number of workers; None for one per GPU, or one per node without a GPU.
        device: ``auto``, ``cpu`` or ``cuda``; auto takes GPUs if the cluster has any.

    Returns:
        One GPU per worker and its part of the cores of its node. Without GPUs, the largest
        number of cores with which all workers have a place.

    Raises:
        ConfigError: the device is none of these, or no node has a GPU.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(
            f"Ray chooses the GPU of each worker, got {device!r}",
            where="--device",
            allowed=("auto", "cpu", "cuda"),
        )
    with_gpu = [node for node in nodes if node.get("GPU", 0) >= 1]
    if device == "cuda" and not with_gpu:
        raise ConfigError(
            "no node of the Ray cluster has a GPU", where="--device", allowed=("auto", "cpu")
        )
    if with_gpu and device != "cpu":
        num_gpus = sum(int(node["GPU"]) for node in with_gpu)
        cores = min(int(node.get("CPU", 0) // int(node["GPU"])) for node in with_gpu)
        return Share(count or num_gpus, 1, cores)
    cores_by_node = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    num_workers = count or max(1, len(cores_by_node))
    enough = (
        cores
        for cores in range(max(cores_by_node, default=1), 1, -1)
        if sum(number // cores for number in cores_by_node) >= num_workers
    )
    return Share(num_workers, 0, next(enough, 1))
