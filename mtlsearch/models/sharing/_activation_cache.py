"""Activation cache: outputs of shared units, held for the length of one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mtlsearch.models.sharing._passes import PassEnd, Selection

Key = tuple[int, int, int]
"""Run, cut point, and number of the cut point's call in this task model."""


class ActivationCache:
    """Outputs that the cut points returned in the current forward pass.

    A task model runs after :meth:`begin_task`. Each output is removed when the last task that
    needs it took it. Outside of a forward pass the cache is empty and modules simply run. The
    cache is not thread-safe.

    With images that lack labels, a task model may run on fewer images than a run before it. Then
    its images are selected from the output. See ``_passes.py``.
    """

    def __init__(self) -> None:
        self._num_uses: dict[int, int] = {}
        self._run_ids: tuple[int, ...] = ()
        self._selection: Selection | None = None
        self._outputs: dict[Key, tuple[Any, int]] = {}
        self._num_calls: dict[int, int] = {}
        self._is_computing = False
        self.store: OutputStore | None = None
        self.before_compute: Callable[[Key, Any], None] | None = None

    def begin_forward(self, num_uses: Mapping[int, int]) -> None:
        """Start a forward pass.

        Args:
            num_uses: number of tasks that need each run, by run id.
        """
        self.end_forward()
        self._num_uses = dict(num_uses)

    def begin_task(self, run_ids: tuple[int, ...], selection: Selection | None = None) -> None:
        """Start the next task of the forward pass.

        Args:
            run_ids: the run that the task takes part in, for every unit.
            selection: images of the task model in the outputs of each run; None if all task
                models get the same images.
        """
        self._run_ids = run_ids
        self._selection = selection
        self._num_calls = {}

    def end_forward(self) -> None:
        """End the forward pass and remove all outputs."""
        self._num_uses = {}
        self._run_ids = ()
        self._selection = None
        self._outputs = {}
        self._num_calls = {}
        self._is_computing = False

    @property
    def is_empty(self) -> bool:
        """Whether no output is held."""
        return not self._outputs

    def get_or_compute(self, forward: CachedForward, args: Any, kwargs: Any) -> Any:
        """Return the output of a cut point from the cache, or compute it.

        Args:
            forward: the cut point.
            args: arguments of the call.
            kwargs: keyword arguments of the call.

        Returns:
            The output of the module; other tasks can hold the same tensors.

        Raises:
            PassEnd: the run needs more images than this task model gets, and has not run yet.
        """
        if self._is_computing or not self._run_ids:
            return forward.compute(args, kwargs)
        call = self._next_call(forward.index) if len(forward.units) > 1 else 0
        run_id = self._run_ids[forward.units[call]]
        key = (run_id, forward.index, call)
        if self.store is not None:
            rows = None if self._selection is None else self._selection.rows
            stored = self.store.read(key, rows)
            if stored is not None:
                return _for_consumer(stored, forward.is_modified)
        if key in self._outputs:
            output, remaining = self._outputs.pop(key)
            if remaining > 1:
                self._outputs[key] = (output, remaining - 1)
            if self._selection is not None and not self._selection.is_complete(run_id):
                batched = iter(forward.batched[call])
                return self._selection.select(run_id, output, batched)
            return _for_consumer(output, forward.is_modified)
        if self._selection is not None and not self._selection.is_complete(run_id):
            raise PassEnd
        if self.before_compute is not None:
            self.before_compute(key, (args, kwargs))
        # Cut points inside this one must neither count nor be cached.
        self._is_computing = True
        output = forward.compute(args, kwargs)
        self._is_computing = False
        if self.store is not None:
            self.store.write(key, _for_consumer(output, forward.is_modified))
        num_uses = self._num_uses[run_id]
        if num_uses > 1:
            self._outputs[key] = (output, num_uses - 1)
            return _for_consumer(output, forward.is_modified)
        return output

    def _next_call(self, index: int) -> int:
        call = self._num_calls.get(index, 0)
        self._num_calls[index] = call + 1
        return call


class OutputStore(Protocol):
    """Outputs that outlive a forward pass, such as those of frozen units on disk."""

    def select(self, num_images: int, device: torch.device) -> bool:
        """Start a forward pass on some images; return whether to compute their outputs first."""

    def complete(self) -> None:
        """Report that all outputs of these images were written."""

    def read(self, key: Key, rows: tuple[int, ...] | None) -> Any:
        """Return an output for some images of the batch; None if it is to be computed."""

    def write(self, key: Key, value: Any) -> None:
        """Receive an output that was computed."""


class CachedForward:
    """Replacement for the ``forward`` of a cut point that uses the activation cache.

    Args:
        module: the cut point.
        cache: the cache of the network.
        index: number of the cut point in the backbone.
        units: the unit of each of its calls in a forward pass, without calls inside other cut
            points.
        is_modified: whether its output is modified in place after the call.
        batched: for each of its calls, which tensors of its output have the batch as first
            dimension.
    """

    def __init__(
        self,
        module: nn.Module,
        cache: ActivationCache,
        *,
        index: int,
        units: tuple[int, ...],
        is_modified: bool,
        batched: tuple[tuple[bool, ...], ...] = (),
    ) -> None:
        self.module = module
        self.cache = cache
        self.index = index
        self.units = units
        self.is_modified = is_modified
        self.batched = batched

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.cache.get_or_compute(self, args, kwargs)

    def compute(self, args: Any, kwargs: Any) -> Any:
        """Run the module without the cache.

        Args:
            args: arguments of the call.
            kwargs: keyword arguments of the call.

        Returns:
            The output of the module's own ``forward``.
        """
        return type(self.module).forward(self.module, *args, **kwargs)


def _for_consumer(output: Any, is_modified: bool) -> Any:
    """Return an output with new containers, and with copies of tensors that are modified."""
    if isinstance(output, Tensor):
        return output.clone() if is_modified else output
    if type(output) is list:
        return [_for_consumer(item, is_modified) for item in output]
    if type(output) is tuple:
        return tuple(_for_consumer(item, is_modified) for item in output)
    if type(output) is dict:
        return {key: _for_consumer(item, is_modified) for key, item in output.items()}
    return output
