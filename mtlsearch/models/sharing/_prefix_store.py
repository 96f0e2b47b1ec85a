"""Prefix store: outputs of frozen units, kept on disk per image."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from mmap import mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch
from torch import Tensor

from mtlsearch.errors import infrastructure_error_of
from mtlsearch.models.sharing._activation_cache import ActivationCache, Key

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """Output of one call of a cut point.

    Attributes:
        shape: its shape without the batch, ``[...]``.
        dtype: its number format.
        is_channels_last: whether its memory order is channels-last.
        is_needed: whether trained units or features depend on it, given the other outputs. Others
            are replaced by zeros.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    is_channels_last: bool
    is_needed: bool

    @property
    def num_bytes(self) -> int:
        """Bytes of one image."""
        return prod(self.shape) * self.dtype.itemsize if self.is_needed else 0


class PrefixStore:
    """Outputs of the frozen runs of a network, in memory-mapped files.

    A *slot* is a version of a split: images with one augmentation. An image has an index in it.
    All outputs of a batch are stored in one pass before its first forward pass. Copies of the
    network use the same store. The files have no name, so that they end with the process.

    Args:
        outputs: the outputs by key of the activation cache.
        folder: folder on the disk of the files, which exists.
        sizes: number of images by slot.

    Raises:
        InfrastructureError: the disk is too small.
    """

    def __init__(
        self, outputs: Mapping[Key, StoredOutput], folder: Path, sizes: Mapping[Hashable, int]
    ) -> None:
        self._outputs = outputs
        self._values: dict[tuple[Hashable, Key], Tensor] = {}
        for slot, size in sizes.items():
            for key, output in outputs.items():
                if output.is_needed:
                    flat = torch.frombuffer(
                        _map_file(folder, size * output.num_bytes), dtype=output.dtype
                    )
                    self._values[slot, key] = flat.view(size, *output.shape)
        self._is_stored = {
            slot: torch.zeros(size, dtype=torch.bool) for slot, size in sizes.items()
        }
        self._slot: Hashable = None
        self._indices: Tensor | None = None
        self._is_readable = False
        self._device = torch.device("cpu")
        self.is_bypassed = False
        """Whether a batch was split, whose outputs were computed."""

    def __deepcopy__(self, memo: dict[int, Any]) -> PrefixStore:
        return self

    @property
    def num_bytes(self) -> int:
        """Bytes of the files."""
        return sum(value.nbytes for value in self._values.values())

    @property
    def is_complete(self) -> bool:
        """Whether the outputs of all images are stored."""
        return all(bool(is_stored.all()) for is_stored in self._is_stored.values())

    def start(self, slot: Hashable, indices: Sequence[int]) -> None:
        """Name the images of the next forward passes.

        Args:
            slot: their slot; the images of other slots than those of the store are not stored.
            indices: index of each image of the batch.
        """
        self._slot, self._is_readable = slot, False
        self._indices = torch.tensor(indices) if slot in self._is_stored else None

    def end(self) -> None:
        """Store no longer; the next forward passes have other images."""
        self._indices, self._is_readable = None, False

    def select(self, num_images: int, device: torch.device) -> bool:
        """Start a forward pass, which uses the store if it has all images of the batch.

        Args:
            num_images: number of images; a part of a batch does not use the store.
            device: device of the outputs.

        Returns:
            Whether the outputs must be written first.
        """
        self._device, self._is_readable = device, False
        if self._indices is None:
            return False
        if num_images != len(self._indices):
            self.is_bypassed = True
            return False
        self._is_readable = bool(self._is_stored[self._slot][self._indices].all())
        return not self._is_readable

    def complete(self) -> None:
        """Use what was written since :meth:`select`."""
        self._is_stored[self._slot][self._chosen(None)] = True
        self._is_readable = True

    def read(self, key: Key, rows: tuple[int, ...] | None) -> Tensor | None:
        """Return an output.

        Args:
            key: the call.
            rows: the images of the batch; None for all.

        Returns:
            The output; None if it is to be computed.
        """
        output = self._outputs.get(key)
        if not self._is_readable or output is None:
            return None
        chosen = self._chosen(rows)
        if not output.is_needed:
            zero = torch.zeros((), dtype=output.dtype, device=self._device)
            return zero.expand(len(chosen), *output.shape)
        value = self._values[self._slot, key][chosen].to(self._device)
        return (
            value.contiguous(memory_format=torch.channels_last)
            if output.is_channels_last
            else value
        )

    def write(self, key: Key, value: Any) -> None:
        """Store an output of the whole batch; one that is not to be stored is ignored.

        Args:
            key: the call.
            value: the output.
        """
        if self._indices is None or self._is_readable or (self._slot, key) not in self._values:
            return
        if len(value) == len(self._indices):
            self._values[self._slot, key][self._indices] = value.detach().cpu()

    def _chosen(self, rows: tuple[int, ...] | None) -> Tensor:
        assert self._indices is not None  # between `start` and `end`
        return self._indices if rows is None else self._indices[list(rows)]


def _map_file(folder: Path, num_bytes: int) -> mmap:
    """Map a new file without a name, whose blocks are reserved.

    Without them, the first write to memory on a full disk would kill the process.
    """
    try:
        with TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, num_bytes)
            else:
                for start in range(0, num_bytes, _BLOCK):
                    file.write(bytes(min(_BLOCK, num_bytes - start)))
                file.flush()
            return mmap(file.fileno(), num_bytes)
    except OSError as error:
        named = OSError(error.errno, error.strerror, str(folder))
        raise infrastructure_error_of(named) or named from error


class _Recorder:
    """Store that records outputs of frozen runs, or answers with them; and what is read of them."""

    def __init__(self, frozen_runs: frozenset[int]) -> None:
        self._frozen_runs = frozen_runs
        self.recorded: dict[Key, Any] = {}
        self.zeros: frozenset[Key] = frozenset()
        self.is_recording = True
        self.inputs: list[Tensor] = []

    def select(self, num_images: int, device: torch.device) -> bool:
        """Ignore the images, which are always the same."""
        self.inputs = []
        return False

    def complete(self) -> None:
        """Ignore that a batch is complete."""

    def read(self, key: Key, rows: tuple[int, ...] | None) -> Any:
        """Return the recorded output, or zeros in its place."""
        if self.is_recording or key not in self.recorded:
            return None
        value = self.recorded[key]
        return torch.zeros_like(value) if key in self.zeros else value

    def write(self, key: Key, value: Any) -> None:
        """Record an output of a frozen run."""
        if self.is_recording and key[0] in self._frozen_runs:
            self.recorded[key] = value

    def see(self, key: Key, inputs: Any) -> None:
        """Record what a trained unit reads."""
        if key[0] not in self._frozen_runs:
            self.inputs.extend(tensor.clone() for tensor in _tensors(inputs))


def plan_store(
    cache: ActivationCache,
    frozen_runs: frozenset[int],
    features: Callable[[], Sequence[Tensor]],
) -> dict[Key, StoredOutput] | None:
    """Find which outputs of frozen runs are read.

    Each output is replaced by zeros while all others stay as they are. What changes neither an
    input of a trained unit nor a feature need not be stored. Inputs count, since the weights of a
    unit that is not trained yet may ignore them.

    Args:
        cache: activation cache of the network.
        frozen_runs: runs whose outputs depend on the image alone.
        features: runs the network in evaluation mode.

    Returns:
        The outputs of the runs; None if an output is not a tensor of images, or if the outputs
        cannot be replaced together.
    """
    recorder = _Recorder(frozen_runs)
    cache.store, cache.before_compute = recorder, recorder.see

    def seen() -> list[Tensor]:
        levels = [level.clone() for level in features()]
        return [*levels, *recorder.inputs]

    try:
        expected = seen()
        recorder.is_recording = False
        recorded = recorder.recorded
        if not recorded or not all(_is_batched(value) for value in recorded.values()):
            return None
        zeros = set()
        for key in recorded:
            recorder.zeros = frozenset({key})
            if _are_equal(seen(), expected):
                zeros.add(key)
        recorder.zeros = frozenset(zeros)
        if not _are_equal(seen(), expected):
            return None
    finally:
        cache.store = cache.before_compute = None
    return {
        key: StoredOutput(
            tuple(value.shape[1:]), value.dtype, _is_channels_last(value), key not in zeros
        )
        for key, value in recorded.items()
    }


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested containers."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _is_batched(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0


def _is_channels_last(value: Tensor) -> bool:
    is_contiguous = value.is_contiguous()
    return (
        value.ndim == 4
        and not is_contiguous
        and value.is_contiguous(memory_format=torch.channels_last)
    )


def _are_equal(levels: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    return len(levels) == len(expected) and all(map(torch.equal, levels, expected))
