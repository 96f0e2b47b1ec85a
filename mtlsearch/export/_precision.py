"""Graphs of lower precision: float16, and int8 calibrated on training images."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mtlsearch.bundle import GRAPH_WEIGHTS
from mtlsearch.errors import ExportError
from mtlsearch.models.programs import INPUT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Precision = Literal["fp32", "fp16", "int8"]
NUM_CALIBRATION_IMAGES = 128
"""Training images on which the ranges of activations are measured."""

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operations at which a head's last layer begins, from its outputs."""


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric on the validation split, in float32 and in a lower precision.

    Attributes:
        task: name of the task.
        metric: name of the metric.
        before: value of the float32 graph.
        after: value of the converted graph.
        drop: how much worse ``after`` is, in percent of ``before``; negative if better.
        is_limited: whether the limit applies, as to primary metrics.
    """

    task: str
    metric: str
    before: float
    after: float
    drop: float
    is_limited: bool


def convert_graph(
    path: Path, precision: Precision, calibration: Iterator[NDArray[np.float32]]
) -> None:
    """Replace a float32 graph by one of lower precision; input and outputs stay float32.

    The last layer of each head and all operations behind it stay in float32, so that boxes and
    probabilities are not rounded.

    Args:
        path: the ONNX file, which contains its weights.
        precision: ``fp16`` or ``int8``.
        calibration: batches of prepared training images ``[B, C, H, W]``, for ``int8``.

    Raises:
        ExportError: the weights are in a file beside the graph.
    """
    if path.with_name(GRAPH_WEIGHTS).exists():
        raise ExportError(
            f"a graph of more than 2 GiB cannot be converted to {precision}",
            where=str(path),
            next_step="export without --precision",
        )
    if precision == "fp16":
        _convert_to_fp16(path)
    else:
        _convert_to_int8(path, calibration)


def _convert_to_fp16(path: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load(path)
    converted = convert_float_to_float16(
        model, keep_io_types=True, node_block_list=last_layers(model)
    )
    onnx.save(converted, path)


def _convert_to_int8(path: Path, calibration: Iterator[NDArray[np.float32]]) -> None:
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quant_pre_process,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(calibration, None)
            return None if batch is None else {INPUT: batch}

    with (
        _without_remarks("onnxruntime"),
        tempfile.TemporaryDirectory(prefix="mtlsearch-int8-") as scratch,
    ):
        prepared, quantized = Path(scratch) / "prepared.onnx", Path(scratch) / "quantized.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(quantized),
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            # Processors without VNNI add two products in 16 bits, which 8 bits can exceed.
            reduce_range=True,
            nodes_to_exclude=last_layers(onnx.load(prepared)),
        )
        path.write_bytes(quantized.read_bytes())


@contextmanager
def _without_remarks(package: str) -> Iterator[None]:
    """Drop records below errors that a package logs in the root logger, for a while."""

    def is_kept(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or package not in Path(record.pathname).parts

    root = logging.getLogger()
    handler = logging.NullHandler()  # without a handler, logging.warning() configures the root
    root.addHandler(handler)
    root.addFilter(is_kept)
    try:
        yield
    finally:
        root.removeFilter(is_kept)
        root.removeHandler(handler)


def last_layers(model: Any) -> list[str]:
    """Return the names of the nodes from the last layer with weights to each output.

    Args:
        model: the ONNX model, whose nodes have unique names.

    Returns:
        Sorted names.
    """
    node_by_output = {output: node for node in model.graph.node for output in node.output}
    names: set[str] = set()
    pending = [output.name for output in model.graph.output]
    while pending:
        node = node_by_output.get(pending.pop())
        if node is None or node.name in names:
            continue
        names.add(node.name)
        if node.op_type not in _WEIGHTED | {"Shape"}:
            pending += node.input
    return sorted(names)


def require_small_drop(changes: list[MetricChange], precision: Precision, max_drop: float) -> None:
    """Check that no primary metric drops by more than a limit.

    Args:
        changes: all metrics, before and after.
        precision: the precision after the conversion.
        max_drop: largest drop in percent of the value before.

    Raises:
        ExportError: a primary metric drops by more, or is undefined only after the conversion.
    """
    worse = [change for change in changes if change.is_limited and not change.drop <= max_drop]
    if not worse:
        return
    amounts = ", ".join(
        f"{change.task}.{change.metric} from {change.before:.4g} to {change.after:.4g} "
        f"({change.drop:.2f} % worse)"
        for change in worse
    )
    raise ExportError(
        f"{precision} costs more than the limit: {amounts}",
        allowed=[f"a drop of up to {max_drop:g} % (--max-drop)"],
        next_step="set --precision fp16, raise --max-drop, or export without --precision",
    )


def changes_text(changes: list[MetricChange], precision: Precision) -> str:
    """Return all metrics before and after as a table.

    Args:
        changes: all metrics, before and after.
        precision: the precision after the conversion.
    """
    names = [f"{change.task}.{change.metric}" for change in changes]
    width = max(map(len, names), default=0)
    lines = [f"{'validation':<{width}}  {'fp32':>8}  {precision:>8}  change"]
    lines += [
        f"{name:<{width}}  {change.before:8.4f}  {change.after:8.4f}  {_direction(change)}"
        for name, change in zip(names, changes, strict=True)
    ]
    return "\n".join(lines)


def _direction(change: MetricChange) -> str:
    """Return a change as text; its sign would not show which direction is better."""
    if math.isnan(change.drop):
        return "undefined"
    amount = f"{abs(change.drop):.2f} %"
    return f"{amount} {'worse' if change.drop > 0 else 'better'}" if change.drop else "equal"


def to_json(changes: list[MetricChange]) -> Mapping[str, Any]:
    """Return all metrics by task and name for ``bundle.json``; None if undefined."""
    value: dict[str, dict[str, Any]] = {}
    for change in changes:
        pair = {"before": _defined(change.before), "after": _defined(change.after)}
        value.setdefault(change.task, {})[change.metric] = pair
    return value


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
