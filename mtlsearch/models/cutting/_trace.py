"""One dry run of a model: which modules run when, and what they cost."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

T = TypeVar("T")
ModuleT = TypeVar("ModuleT", bound=nn.Module)
Run = Callable[[nn.Module, Tensor], list[Tensor]]


@dataclass(frozen=True, slots=True)
class Call:
    """One run of one module.

    Attributes:
        path: the module's name in the model.
        start: the tick at which it began.
        stop: the tick at which it ended.
        flops: what it cost, with everything inside.
        shapes: of the tensors it returned.
        rewritten: whether one of them was written in place afterwards.
        given: the number, in the run, of the tensor it was given first.
        returned: the number of the tensor it returned; None if that was not just one.
        keeps_shape: whether these two have the same shape and precision.
    """

    path: str
    start: int
    stop: int
    flops: int
    shapes: tuple[tuple[int, ...], ...]
    rewritten: bool
    given: int | None = None
    returned: int | None = None
    keeps_shape: bool = False

    def holds(self, other: Call) -> bool:
        """Whether the other call ran inside this one."""
        return self.start < other.start and other.stop < self.stop


@dataclass(slots=True)
class Trace:
    """What a dry run saw.

    Attributes:
        calls: every run of every module, in order of beginning.
        first_use: the tick at which a parameter was first handed to a torch function.
        flops: of the whole run, for one image.
        levels: the feature maps, ``[1, C, h, w]``.
    """

    calls: list[Call] = field(default_factory=list)
    first_use: dict[str, int] = field(default_factory=dict)
    flops: int = 0
    levels: list[Tensor] = field(default_factory=list)

    def by_path(self) -> dict[str, list[Call]]:
        """The calls of each module that ran."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.path, []).append(call)
        return found


def trace(model: nn.Module, image_size: tuple[int, int], run: Run) -> Trace:
    """Run the model once on one image and note what happens.

    The run is on the meta device, where it costs next to nothing, or on the CPU for the
    few models that look at values. The model itself is left untouched.
    """
    return dry_run(model, image_size, lambda to_meta, image: _observe(to_meta, image, run))


def dry_run(
    model: nn.Module, image_size: tuple[int, int], look: Callable[[nn.Module, Tensor], T]
) -> T:
    """``look(copy, image [1, 3, H, W])`` on the meta device if the model can, else on the CPU."""
    dtype = dtype_of(model)
    try:
        return look(to_meta(model), torch.zeros(1, 3, *image_size, device="meta", dtype=dtype))
    except RuntimeError:  # it looks at values, which meta has none of
        twin = copy.deepcopy(model).cpu().eval().requires_grad_(False)
        return look(twin, torch.zeros(1, 3, *image_size, dtype=dtype))


def dtype_of(module: nn.Module) -> torch.dtype:
    """The precision of a module's weights; torch's default where it has none."""
    first = next(module.parameters(), None)
    return torch.get_default_dtype() if first is None else first.dtype


def to_meta(model: ModuleT) -> ModuleT:
    """A copy on the meta device, in evaluation mode and without gradients; no weight is copied."""
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        empty = tensor.detach().to("meta")
        if isinstance(tensor, nn.Parameter):
            memo[id(tensor)] = nn.Parameter(empty, requires_grad=False)
        else:
            memo[id(tensor)] = empty
    return copy.deepcopy(model, memo).eval()


def _observe(model: nn.Module, image: Tensor, run: Run) -> Trace:
    seen = Trace()
    clock = _Clock()
    counter = FlopCounterMode(display=False)
    calls: list[_OpenCall] = []
    handles = list(_watch(model, calls, clock, counter))
    try:
        # Not every torch's counter knows the CPU's fused attention.
        attention = sdpa_kernel(SDPBackend.MATH)
        with torch.no_grad(), attention, counter, _ParameterUses(model, seen, clock):
            seen.levels = run(model, image)
    finally:
        for handle in handles:
            handle.remove()
    seen.flops = counter.get_total_flops()
    numbers: dict[int, int] = {}
    seen.calls = [call.noted(numbers) for call in calls]
    return seen


@dataclass(slots=True)
class _OpenCall:
    """A call being watched; its input and outputs are held until the run is over."""

    path: str
    start: int
    given: Tensor | None = None
    returned: Tensor | None = None
    stop: int = 0
    flops: int = 0
    outputs: tuple[Tensor, ...] = ()
    versions: tuple[int, ...] = ()

    def noted(self, numbers: dict[int, int]) -> Call:
        """What is kept of it.

        Args:
            numbers: those of the tensors so far, by identity; more are added.
        """
        rewritten = tuple(tensor._version for tensor in self.outputs) != self.versions
        shapes = tuple(tuple(map(int, tensor.shape)) for tensor in self.outputs)
        given, returned = (
            None if tensor is None else numbers.setdefault(id(tensor), len(numbers))
            for tensor in (self.given, self.returned)
        )
        return Call(
            self.path,
            self.start,
            self.stop,
            self.flops,
            shapes,
            rewritten,
            given,
            returned,
            self._keeps_shape(),
        )

    def _keeps_shape(self) -> bool:
        if self.given is None or self.returned is None:
            return False
        alike = self.given.shape == self.returned.shape and self.given.dtype == self.returned.dtype
        return bool(alike)


class _Clock:
    """Ticks once for everything noted, so that all of it is in one order."""

    def __init__(self) -> None:
        self._now = 0

    def tick(self) -> int:
        self._now += 1
        return self._now


def _watch(
    model: nn.Module, calls: list[_OpenCall], clock: _Clock, counter: FlopCounterMode
) -> Iterator[torch.utils.hooks.RemovableHandle]:
    running: list[_OpenCall] = []

    def begin(path: str) -> Callable[..., None]:
        def note(module: nn.Module, inputs: Any) -> None:
            call = _OpenCall(path, start=clock.tick(), flops=counter.get_total_flops())
            call.given = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            calls.append(call)
            running.append(call)

        return note

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        call = running.pop()
        call.stop = clock.tick()
        call.flops = counter.get_total_flops() - call.flops
        call.returned = output if isinstance(output, Tensor) else None
        call.outputs = tuple(tensors_in(output))
        call.versions = tuple(tensor._version for tensor in call.outputs)

    for path, module in model.named_modules():
        if path:
            yield module.register_forward_pre_hook(begin(path))
            yield module.register_forward_hook(end)


class _ParameterUses(TorchFunctionMode):
    """Notes when each parameter is first handed to a torch function."""

    def __init__(self, model: nn.Module, seen: Trace, clock: _Clock) -> None:
        super().__init__()
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._seen = seen
        self._clock = clock

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") != "__get__":  # reading .shape is no use
            for tensor in tensors_in((args, tuple(kwargs.values()))):
                name = self._names.get(id(tensor))
                if name is not None and name not in self._seen.first_use:
                    self._seen.first_use[name] = self._clock.tick()
        return func(*args, **kwargs)


def tensors_in(value: Any) -> Iterable[Tensor]:
    """The tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
