"""Programs whose time is measured: all tasks in one network, and each task alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.utils import Extractor

from mtlsearch.bundle import IMAGE_SIZE
from mtlsearch.models.programs import INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.plugin import Task

Program = Callable[["NDArray[np.float32]"], object]
"""Runs a network on images ``[B, C, H, W]``."""


def torch_programs(network: MultiTaskNetwork, tasks: Mapping[str, Task]) -> list[Program]:
    """Return the network with all tasks and with each task alone, in torch.

    Args:
        network: the network, in eval mode, on the CPU.
        tasks: its tasks by name.

    Returns:
        All tasks, then each task in the order of the names.
    """

    def program(names: Sequence[str]) -> Program:
        def run(images: NDArray[np.float32]) -> object:
            with torch.inference_mode():
                outputs = network(torch.from_numpy(images), names)
                return [tasks[name].predict(outputs[name]) for name in names]

        return run

    names = sorted(tasks)
    return [program(names), *(program([name]) for name in names)]


def graph_programs(
    path: Path, tasks: Sequence[str], shape: tuple[int, int, int], threads: int
) -> list[Program]:
    """Return a graph and the parts of it that the outputs of each task need.

    Args:
        path: the ONNX file, which contains its weights.
        tasks: names of the tasks.
        shape: channels, height and width of the input.
        threads: threads of ONNX Runtime; 0: its default.

    Returns:
        All tasks, then each task.
    """
    graph = onnx.load(path)
    inputs = [value.name for value in graph.graph.input if value.name in (INPUT, IMAGE_SIZE)]
    outputs = [value.name for value in graph.graph.output]
    extractor = Extractor(graph)
    parts = [graph]
    for task in tasks:
        needed = [name for name in outputs if name.rpartition(".")[0] == task]
        parts.append(extractor.extract_model(inputs, needed))
    return [_graph_program(part, shape[1:], threads) for part in parts]


def _graph_program(graph: onnx.ModelProto, size: tuple[int, ...], threads: int) -> Program:
    session = _session(graph, threads)
    names = {value.name for value in session.get_inputs()}
    sizes = {IMAGE_SIZE: np.array(size, np.int64)} if IMAGE_SIZE in names else {}

    def run(images: NDArray[np.float32]) -> object:
        return session.run(None, {INPUT: images, **sizes})

    return run


def _session(graph: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
