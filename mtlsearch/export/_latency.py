"""Latency of a network: all tasks together against one network per task."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import numpy as np
import torch

from mtlsearch.bundle import GRAPH, GRAPH_WEIGHTS, open_bundle
from mtlsearch.errors import ExportError
from mtlsearch.export._timed_programs import Program, graph_programs, torch_programs
from mtlsearch.models.programs import ExportedNetwork, make_program, save_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.plugin import Task

Progress = Callable[[str], None]
ONNX, TORCH = "ONNX Runtime", "torch"
BATCH_SIZES = (1, 8)
"""Numbers of images per batch that are measured by default."""
BUSY = 0.25
"""Spread of the times of one network above which a message doubts them."""
MIN_TIMES = 4
"""Number of times from which they have a spread."""
REPEATS = 20
"""Measured batches per network by default."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Median times of a batch.

    Attributes:
        runtime: ``ONNX Runtime`` or ``torch``.
        batch_size: number of images per batch.
        combined: median milliseconds of a batch, all tasks in one network.
        by_task: median milliseconds of a batch in each task's own network.
    """

    runtime: str
    batch_size: int
    combined: float
    by_task: Mapping[str, float]

    @property
    def separate(self) -> float:
        """Milliseconds of one network per task, one after the other."""
        return sum(self.by_task.values())


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Attributes:
        repeats: number of batches per network, after one that does not count.
        threads: threads of both runtimes; 0: their defaults.
        seconds: limit for all measurements together, within which fewer batches are measured
            and batch sizes left out; None for no limit.
    """

    repeats: int = REPEATS
    threads: int = 0
    seconds: float | None = None


def measure_latency(
    folder: Path,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    *,
    effort: Effort | None = None,
    network: MultiTaskNetwork | None = None,
    tasks: Mapping[str, Task] | None = None,
    progress: Progress = lambda _: None,
) -> list[Latency]:
    """Measure a bundle on the CPU.

    The network of a task is the part of the graph that its outputs need: in a tree plan, its
    single-task network. All networks are timed in turn, so that other programs affect them alike.

    Args:
        folder: folder of the bundle.
        batch_sizes: numbers of images per batch.
        effort: how long to measure; 20 batches per network by default.
        network: the network that was exported, to measure torch too; None for ONNX Runtime only.
        tasks: the tasks of ``network`` by name.
        progress: receives a line per batch size.

    Returns:
        Median times by batch size and runtime.

    Raises:
        ExportError: the folder is not a valid bundle, or its graph has its weights in another
            file.
    """
    bundle = open_bundle(folder)
    manifest = bundle.manifest
    if GRAPH_WEIGHTS in manifest.files:
        raise ExportError(
            "the graph is larger than 2 GiB and cannot be divided by task",
            where=str(folder / GRAPH),
            next_step="measure the bundle with a program of your own",
        )
    effort = effort or Effort()
    start = time.perf_counter()
    shape = (len(manifest.preprocessing.mean), *manifest.preprocessing.size)
    programs = {ONNX: graph_programs(folder / GRAPH, list(manifest.tasks), shape, effort.threads)}
    if network is not None:
        programs[TORCH] = torch_programs(network, tasks or {})
    return _measure(programs, list(manifest.tasks), shape, batch_sizes, effort, start, progress)


def measure_network(
    network: MultiTaskNetwork,
    tasks: Mapping[str, Task],
    shape: tuple[int, int, int],
    batch_sizes: Sequence[int] = BATCH_SIZES,
    *,
    effort: Effort | None = None,
    progress: Progress = lambda _: None,
) -> list[Latency]:
    """Measure a network in torch and, as an ONNX graph, in ONNX Runtime, on the CPU.

    Args:
        network: the network, in eval mode, on the CPU.
        tasks: its tasks by name.
        shape: channels, height and width of its input.
        batch_sizes: numbers of images per batch.
        effort: how long to measure; 20 batches per network by default.
        progress: receives a line per step.

    Returns:
        Median times by batch size and runtime, see :func:`measure_latency`.

    Raises:
        ExportError: the network cannot be converted to ONNX, or is larger than 2 GiB.
    """
    effort = effort or Effort()
    names = sorted(tasks)
    progress("converting the network to ONNX")
    exported = ExportedNetwork(network, tasks).eval()
    images = torch.zeros(2, *shape)
    with torch.no_grad():
        outputs = sorted(exported(images))
    with tempfile.TemporaryDirectory(prefix="mtlsearch-latency-") as scratch:
        path = Path(scratch) / GRAPH
        save_graph(make_program(exported, images), outputs, path)
        if path.with_name(GRAPH_WEIGHTS).exists():
            raise ExportError(
                "the graph is larger than 2 GiB and cannot be divided by task",
                next_step="measure the network with a program of your own",
            )
        programs = {
            ONNX: graph_programs(path, names, shape, effort.threads),
            TORCH: torch_programs(network, tasks),
        }
    start = time.perf_counter()
    return _measure(programs, names, shape, batch_sizes, effort, start, progress)


def _measure(
    programs: Mapping[str, Sequence[Program]],
    tasks: Sequence[str],
    shape: tuple[int, int, int],
    batch_sizes: Sequence[int],
    effort: Effort,
    start: float,
    progress: Progress,
) -> list[Latency]:
    """Time the programs of each runtime: all tasks, then each task."""
    generator = np.random.default_rng(0)
    results: list[Latency] = []
    flat = [(runtime, program) for runtime in programs for program in programs[runtime]]
    per_image = 0.0
    with _threads(effort.threads):
        for number, batch_size in enumerate(batch_sizes, start=1):
            end = None
            if effort.seconds is not None:
                end = start + effort.seconds * number / len(batch_sizes)
                if time.perf_counter() + 2 * batch_size * per_image > start + effort.seconds:
                    progress(f"batches of {batch_size} are not measured: they take too long")
                    continue
            progress(f"measuring batches of {batch_size}")
            images = generator.standard_normal((batch_size, *shape)).astype(np.float32)
            times = _times([program for _, program in flat], images, effort, end, progress)
            per_image = sum(map(median, times)) / 1000 / batch_size
            if (spread := max(map(_spread, times))) > BUSY:
                progress(
                    f"batches of {batch_size}: half of the times of a network differ by "
                    f"{100 * spread:.0f} % of their median or more. The machine may be busy: "
                    "measure again."
                )
            medians = iter(map(median, times))
            for runtime in programs:
                combined = next(medians)
                by_task = {task: next(medians) for task in tasks}
                results.append(Latency(runtime, batch_size, combined, by_task))
    return results


def _times(
    programs: Sequence[Program],
    images: NDArray[np.float32],
    effort: Effort,
    end: float | None,
    progress: Progress,
) -> list[list[float]]:
    """Return the milliseconds of each program; the first batch counts only if it is slow."""
    first = _turn(programs, images)
    if effort.seconds is not None and sum(first) / 1000 > effort.seconds / 2:
        progress(
            f"batches of {len(images)}: each network is slow and was measured once, with its start"
        )
        return [[value] for value in first]
    times: list[list[float]] = [[] for _ in programs]
    for turn in range(effort.repeats):
        if turn and end is not None and time.perf_counter() > end:
            break
        for of_program, value in zip(times, _turn(programs, images), strict=True):
            of_program.append(value)
    return times


def _turn(programs: Sequence[Program], images: NDArray[np.float32]) -> list[float]:
    """Run each program once and return the milliseconds."""
    values = []
    for program in programs:
        start = time.perf_counter()
        program(images)
        values.append(1000 * (time.perf_counter() - start))
    return values


def _spread(times: Sequence[float]) -> float:
    """Return the range of the middle half of some times, relative to their median."""
    if len(times) < MIN_TIMES:
        return 0.0
    low, middle, high = quantiles(times, n=4)
    return (high - low) / middle


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Set the threads of torch for a while; 0 keeps them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
