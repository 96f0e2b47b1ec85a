"""Latency of a bundle: all tasks together against one network per task."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime
from onnx.utils import Extractor

from mtlsearch.bundle import GRAPH, open_bundle
from mtlsearch.errors import ExportError
from mtlsearch.models.programs import INPUT


@dataclass(frozen=True, slots=True)
class Latency:
    """Median times of a batch.

    Attributes:
        batch_size: number of images per batch.
        combined: median milliseconds of a batch, all tasks in one network.
        by_task: median milliseconds of a batch in each task's own network.
    """

    batch_size: int
    combined: float
    by_task: Mapping[str, float]

    @property
    def separate(self) -> float:
        """Milliseconds of one network per task, one after the other."""
        return sum(self.by_task.values())


def measure_latency(
    folder: Path,
    batch_sizes: Sequence[int] = (1, 8),
    *,
    repeats: int = 20,
    threads: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Latency]:
    """Measure a bundle in ONNX Runtime on the CPU.

    The network of a task is the part of the graph that its outputs need: in a tree plan, its
    single-task network. All networks are timed in turn, so that other programs affect them alike.

    Args:
        folder: folder of the bundle.
        batch_sizes: numbers of images per batch.
        repeats: number of batches per network, after one that does not count.
        threads: threads of ONNX Runtime; 0: its default.
        progress: receives a line per batch size.

    Returns:
        Median times by batch size.

    Raises:
        ExportError: the folder is not a valid bundle, or its graph has its weights in another
            file.
    """
    bundle = open_bundle(folder)
    manifest = bundle.manifest
    if any(name.endswith(".safetensors") and name.startswith("model") for name in manifest.files):
        raise ExportError(
            "the graph is larger than 2 GiB and cannot be divided by task",
            where=str(folder / GRAPH),
            next_step="measure the bundle with a program of your own",
        )
    graph = onnx.load(folder / GRAPH)
    extractor = Extractor(graph)
    outputs = [value.name for value in graph.graph.output]
    sessions = [_session(graph, threads)]
    for task in manifest.tasks:
        needed = [name for name in outputs if name.startswith(f"{task}.")]
        sessions.append(_session(extractor.extract_model([INPUT], needed), threads))
    height, width = manifest.preprocessing.size
    channels = len(manifest.preprocessing.mean)
    rng = np.random.default_rng(0)
    results = []
    for batch_size in batch_sizes:
        progress(f"measuring batches of {batch_size}")
        images = rng.standard_normal((batch_size, channels, height, width)).astype(np.float32)
        times: list[list[float]] = [[] for _ in sessions]
        for turn in range(repeats + 1):
            for of_session, session in zip(times, sessions, strict=True):
                start = time.perf_counter()
                session.run(None, {INPUT: images})
                if turn:
                    of_session.append(1000 * (time.perf_counter() - start))
        combined, *by_task = map(median, times)
        results.append(
            Latency(batch_size, combined, dict(zip(manifest.tasks, by_task, strict=True)))
        )
    return results


def _session(graph: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
