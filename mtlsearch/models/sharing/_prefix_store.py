"""Prefix store: outputs of frozen units, kept on disk per image."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlsearch.models.sharing._activation_cache import ActivationCache, Key


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """Output of one call of a cut point.

    Attributes:
        shape: its shape without the batch, ``[...]``.
        dtype: its number format.
        is_channels_last: whether its memory order is channels-last.
        is_needed: whether features depend on it, given the other outputs. Others are replaced by
            zeros.
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
    An output that is not stored yet is computed and stored. Copies of the network use the same
    store.

    Args:
        outputs: the outputs by key of the activation cache.
        folder: folder of the files, which exists.
        sizes: number of images by slot.
    """

    def __init__(
        self, outputs: Mapping[Key, StoredOutput], folder: Path, sizes: Mapping[Hashable, int]
    ) -> None:
        self._outputs = outputs
        self._num_needed = sum(output.is_needed for output in outputs.values())
        self._values: dict[tuple[Hashable, Key], Tensor] = {}
        for position, (slot, size) in enumerate(sizes.items()):
            for number, (key, output) in enumerate(outputs.items()):
                if output.is_needed:
                    file = str(folder / f"{position}-{number}.bin")
                    count = size * prod(output.shape)
                    flat = torch.from_file(file, shared=True, size=count, dtype=output.dtype)
                    self._values[slot, key] = flat.view(size, *output.shape)
        self._is_stored = {
            slot: torch.zeros(size, dtype=torch.bool) for slot, size in sizes.items()
        }
        self._slot: Hashable = None
        self._indices: Tensor | None = None
        self._is_used = False
        self._device = torch.device("cpu")
        self._written: dict[tuple[int, ...] | None, list[Key]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> PrefixStore:
        return self

    def start(self, slot: Hashable, indices: Sequence[int]) -> None:
        """Name the images of the next forward passes.

        Args:
            slot: their slot.
            indices: index of each image of the batch.
        """
        self.end()
        self._slot, self._indices = slot, torch.tensor(indices)

    def end(self) -> None:
        """Complete what was stored; the next forward passes have other images."""
        if self._indices is not None:
            for rows, keys in self._written.items():
                if len(keys) == self._num_needed:
                    self._is_stored[self._slot][self._chosen(rows)] = True
        self._written, self._indices, self._is_used = {}, None, False

    def select(self, num_images: int, device: torch.device) -> None:
        """Start a forward pass, which uses the store if it has all images of the batch.

        Args:
            num_images: number of images; a part of a batch does not use the store.
            device: device of the outputs.
        """
        self._device = device
        self._is_used = self._indices is not None and num_images == len(self._indices)

    def read(self, key: Key, rows: tuple[int, ...] | None) -> Tensor | None:
        """Return an output.

        Args:
            key: the call.
            rows: the images of the batch; None for all.

        Returns:
            The output; None if it is to be computed.
        """
        output = self._outputs.get(key)
        if not self._is_used or output is None:
            return None
        chosen = self._chosen(rows)
        if not self._is_stored[self._slot][chosen].all():
            return None
        if not output.is_needed:
            zero = torch.zeros((), dtype=output.dtype, device=self._device)
            return zero.expand(len(chosen), *output.shape)
        value = self._values[self._slot, key][chosen].to(self._device)
        return (
            value.contiguous(memory_format=torch.channels_last)
            if output.is_channels_last
            else value
        )

    def write(self, key: Key, rows: tuple[int, ...] | None, value: Any) -> None:
        """Store an output that was computed.

        Args:
            key: the call.
            rows: the images of the batch; None for all.
            value: the output.
        """
        output = self._outputs.get(key)
        if not self._is_used or output is None or not output.is_needed:
            return
        self._values[self._slot, key][self._chosen(rows)] = value.detach().cpu()
        self._written.setdefault(rows, []).append(key)

    def _chosen(self, rows: tuple[int, ...] | None) -> Tensor:
        assert self._indices is not None  # between `start` and `end`
        return self._indices if rows is None else self._indices[list(rows)]


class _Recorder:
    """Store that records outputs, or answers with recorded ones."""

    def __init__(self, frozen_runs: frozenset[int]) -> None:
        self._frozen_runs = frozen_runs
        self.recorded: dict[Key, Any] = {}
        self.zeros: frozenset[Key] = frozenset()
        self.is_recording = True

    def select(self, num_images: int, device: torch.device) -> None:
        """Ignore the images, which are always the same."""

    def read(self, key: Key, rows: tuple[int, ...] | None) -> Any:
        """Return the recorded output, or zeros in its place."""
        if self.is_recording or key not in self.recorded:
            return None
        value = self.recorded[key]
        return torch.zeros_like(value) if key in self.zeros else value

    def write(self, key: Key, rows: tuple[int, ...] | None, value: Any) -> None:
        """Record an output of a frozen run."""
        if self.is_recording and key[0] in self._frozen_runs:
            self.recorded[key] = value


def plan_store(
    cache: ActivationCache,
    frozen_runs: frozenset[int],
    features: Callable[[], Sequence[Tensor]],
) -> dict[Key, StoredOutput] | None:
    """Find which outputs of frozen runs the features depend on.

    Each output is replaced by zeros while all others stay as they are. What changes no feature
    need not be stored.

    Args:
        cache: activation cache of the network.
        frozen_runs: runs whose outputs depend on the image alone.
        features: runs the network in evaluation mode.

    Returns:
        The outputs of the runs; None if an output is not a tensor of images, or if the outputs
        cannot be replaced together.
    """
    recorder = _Recorder(frozen_runs)
    cache.store = recorder
    try:
        expected = [level.clone() for level in features()]
        recorder.is_recording = False
        recorded = recorder.recorded
        if not recorded or not all(_is_batched(value) for value in recorded.values()):
            return None
        zeros = set()
        for key in recorded:
            recorder.zeros = frozenset({key})
            if _are_equal(features(), expected):
                zeros.add(key)
        recorder.zeros = frozenset(zeros)
        if not _are_equal(features(), expected):
            return None
    finally:
        cache.store = None
    return {
        key: StoredOutput(
            tuple(value.shape[1:]), value.dtype, _is_channels_last(value), key not in zeros
        )
        for key, value in recorded.items()
    }


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
    return all(map(torch.equal, levels, expected))
