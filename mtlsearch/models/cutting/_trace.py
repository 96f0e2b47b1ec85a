"""Trace of one forward pass: module calls with their FLOPs, and first uses of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from mtlsearch.models.cutting._dry_run import dry_run

ComputeLevels = Callable[[nn.Module, Tensor], list[Tensor]]
"""Maps a model and images ``[B, C, H, W]`` to feature levels ``[B, C, h, w]``."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one module.

    Attributes:
        path: name of the module in the model, such as ``layer1.0.conv1``.
        start: tick of the trace's clock when the call started.
        stop: tick when it ended.
        flops: FLOPs of the call, including all calls inside it.
        output_shapes: shapes of the tensors that it returned.
        is_modified: whether one of these tensors was modified in place after the call.
        input_id: number of the first input tensor in this trace; None if it was not a tensor.
        output_id: number of the output tensor; None if the output was not a single tensor.
        keeps_shape: whether input and output have the same shape and dtype.
        batched: for each tensor of ``output_shapes``, whether its first dimension is the batch
            (else it does not depend on the batch); None if a tensor contains the batch in
            another form, so that images cannot be selected from it.
    """

    path: str
    start: int
    stop: int
    flops: int
    output_shapes: tuple[tuple[int, ...], ...]
    is_modified: bool
    input_id: int | None = None
    output_id: int | None = None
    keeps_shape: bool = False
    batched: tuple[bool, ...] | None = None

    def encloses(self, other: Call) -> bool:
        """Return whether another call happened inside this one.

        Args:
            other: a call of the same trace.

        Returns:
            True if it started later and ended earlier.
        """
        return self.start < other.start and other.stop < self.stop


@dataclass(slots=True)
class Trace:
    """Record of a dry run.

    Attributes:
        calls: all calls of all modules, in the order in which they started.
        first_use: tick when a parameter was first passed to a PyTorch function, by name.
        flops: FLOPs of the whole forward pass for one image.
        levels: the feature levels, ``[1, C, h, w]`` each.
    """

    calls: list[Call] = field(default_factory=list)
    first_use: dict[str, int] = field(default_factory=dict)
    flops: int = 0
    levels: list[Tensor] = field(default_factory=list)

    def calls_by_path(self) -> dict[str, list[Call]]:
        """Group the calls by module.

        Returns:
            Calls by module name, for the modules that ran.
        """
        calls: dict[str, list[Call]] = {}
        for call in self.calls:
            calls.setdefault(call.path, []).append(call)
        return calls


def trace_model(
    model: nn.Module, image_size: tuple[int, int], compute: ComputeLevels, channels: int = 3
) -> Trace:
    """Trace a forward pass of a model in a dry run.

    Args:
        model: the model; it does not change.
        image_size: ``(height, width)`` of the image in pixels.
        compute: the forward pass.
        channels: number of channels of the image.

    Returns:
        The trace.
    """
    return dry_run(model, image_size, lambda twin, image: _record(twin, image, compute), channels)


def _record(model: nn.Module, image: Tensor, compute: ComputeLevels) -> Trace:
    trace = Trace()
    clock = _Clock()
    counter = FlopCounterMode(display=False)
    # The FLOP counters of some PyTorch versions ignore the CPU's fused attention.
    attention = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), attention:
        uses = _ParameterUses(model, trace, clock)
        with _recorded_calls(model, clock, counter) as calls, counter, uses:
            trace.levels = compute(model, image)
        # The shapes for two images show which dimension is the batch.
        with _recorded_calls(model, _Clock(), counter) as calls_for_two:
            compute(model, image.repeat(2, 1, 1, 1))
    trace.flops = counter.get_total_flops()
    tensor_ids: dict[int, int] = {}
    trace.calls = [
        call.to_call(tensor_ids, for_two.output_shapes)
        for call, for_two in zip(calls, calls_for_two, strict=True)
    ]
    return trace


@contextmanager
def _recorded_calls(
    model: nn.Module, clock: _Clock, counter: FlopCounterMode
) -> Iterator[list[_ActiveCall]]:
    """Yield a list to which each call of each module is appended."""
    calls: list[_ActiveCall] = []
    handles = list(_add_hooks(model, calls, clock, counter))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _batched(
    shapes_for_one: Sequence[tuple[int, ...]], shapes_for_two: Sequence[tuple[int, ...]]
) -> tuple[bool, ...] | None:
    """Return ``Call.batched`` from the output shapes for one and for two images."""
    pairs = list(zip(shapes_for_one, shapes_for_two, strict=True))
    batched = tuple(shape != for_two for shape, for_two in pairs)
    is_first = all(
        shape == for_two or (shape[:1] == (1,) and for_two == (2, *shape[1:]))
        for shape, for_two in pairs
    )
    return batched if is_first else None


@dataclass(slots=True)
class _ActiveCall:
    """A call while the trace is recorded; it holds its tensors so that their ids stay unique."""

    path: str
    start: int
    input: Tensor | None = None
    output: Tensor | None = None
    stop: int = 0
    flops: int = 0
    outputs: tuple[Tensor, ...] = ()
    versions: tuple[int, ...] = ()

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the tensors that it returned."""
        return tuple(tuple(map(int, tensor.shape)) for tensor in self.outputs)

    def to_call(
        self, tensor_ids: dict[int, int], shapes_for_two: Sequence[tuple[int, ...]]
    ) -> Call:
        """Return the call as a value without tensors.

        Args:
            tensor_ids: number of every tensor so far by ``id()``; new tensors are added.
            shapes_for_two: shapes of its outputs for two images.
        """
        input_id, output_id = (
            None if tensor is None else tensor_ids.setdefault(id(tensor), len(tensor_ids))
            for tensor in (self.input, self.output)
        )
        return Call(
            path=self.path,
            start=self.start,
            stop=self.stop,
            flops=self.flops,
            output_shapes=self.output_shapes,
            # PyTorch increases a tensor's version with every in-place operation.
            is_modified=tuple(tensor._version for tensor in self.outputs) != self.versions,
            input_id=input_id,
            output_id=output_id,
            keeps_shape=self._keeps_shape(),
            batched=_batched(self.output_shapes, shapes_for_two),
        )

    def _keeps_shape(self) -> bool:
        if self.input is None or self.output is None:
            return False
        return self.input.shape == self.output.shape and self.input.dtype == self.output.dtype


class _Clock:
    """Counter of events, which puts calls and parameter uses into one order."""

    def __init__(self) -> None:
        self._now = 0

    def tick(self) -> int:
        self._now += 1
        return self._now


def _add_hooks(
    model: nn.Module, calls: list[_ActiveCall], clock: _Clock, counter: FlopCounterMode
) -> Iterator[torch.utils.hooks.RemovableHandle]:
    """Register hooks that append each call of each module to ``calls``; yield their handles."""
    running: list[_ActiveCall] = []

    def make_pre_hook(path: str) -> Callable[..., None]:
        def start_call(module: nn.Module, inputs: Any) -> None:
            call = _ActiveCall(path, start=clock.tick(), flops=counter.get_total_flops())
            call.input = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            calls.append(call)
            running.append(call)

        return start_call

    def end_call(module: nn.Module, inputs: Any, output: Any) -> None:
        call = running.pop()
        call.stop = clock.tick()
        call.flops = counter.get_total_flops() - call.flops
        call.output = output if isinstance(output, Tensor) else None
        call.outputs = tuple(_tensors_in(output))
        call.versions = tuple(tensor._version for tensor in call.outputs)

    for path, module in model.named_modules():
        if path:
            yield module.register_forward_pre_hook(make_pre_hook(path))
            yield module.register_forward_hook(end_call)


class _ParameterUses(TorchFunctionMode):
    """Records when each parameter is first passed to a PyTorch function."""

    def __init__(self, model: nn.Module, trace: Trace, clock: _Clock) -> None:
        super().__init__()
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._trace = trace
        self._clock = clock

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") != "__get__":  # reading .shape does not count as a use
            for tensor in _tensors_in((args, tuple(kwargs.values()))):
                name = self._names.get(id(tensor))
                if name is not None and name not in self._trace.first_use:
                    self._trace.first_use[name] = self._clock.tick()
        return func(*args, **kwargs)


def _tensors_in(value: Any) -> Iterable[Tensor]:
    """Yield the tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors_in(item)
