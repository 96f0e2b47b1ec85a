"""Pruning of a network down to a number of FLOPs."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from mtlsearch.errors import BackboneError, RunError
from mtlsearch.models._network import MultiTaskNetwork
from mtlsearch.models.pruning._channel_groups import (
    ChannelGroup,
    find_channel_groups,
    import_torch_pruning,
)
from mtlsearch.plan import Cost

Importance = Literal["taylor", "weights"]
"""``weights``: the norm of a channel's weights. ``taylor``: the change of the loss without it."""

STEP = 8
"""Channels of a large group are removed in steps of this many, for which kernels are fast."""

MIN_SHARE = 8
"""One of this many channels of a group stays."""

TOLERANCE = 1e-3
"""Largest difference of a feature, relative to the largest one, between removing channels and
setting the weights behind them to 0."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed from a network.

    Attributes:
        before: cost before pruning.
        after: cost after pruning.
        num_removed: number of removed channels.
        num_channels: number of channels that could be removed.
    """

    before: Cost
    after: Cost
    num_removed: int
    num_channels: int


def prune_network(
    network: MultiTaskNetwork,
    flops: float,
    importance: Importance,
    gradients: Iterable[None] = (),
    *,
    backbone: str,
) -> Pruned:
    """Remove the least important channels in place, until the network needs few enough FLOPs.

    Copies of a unit are pruned on their own. A shared copy remains shared. Feature levels and
    heads keep their channels.

    Args:
        network: a trained network, on the CPU.
        flops: the largest number of FLOPs for one image, heads included.
        importance: which channels are removed first.
        gradients: leaves the gradient of one batch in the weights at each step; for ``taylor``.
        backbone: timm name of the backbone, for messages.

    Returns:
        Costs and numbers of channels.

    Raises:
        RunError: so few FLOPs cannot be reached, or the network needs no more.
        BackboneError: the backbone has no channels that can be removed.
        ConfigError: torch-pruning is not installed.
    """
    before = network.cost
    if flops >= before.flops:
        raise RunError(
            f"the network needs {before.flops / 1e9:.3g} G FLOPs, which is not more than "
            f"{flops / 1e9:.3g} G",
            where="--flops",
            next_step="set a smaller number or share",
        )
    groups, flops_by_layer = find_channel_groups(network)
    if not groups:
        raise BackboneError(
            f"backbone {backbone!r} has no channels that can be removed: all of them are in "
            "feature levels, attention, grouped convolutions or unsupported operations",
            next_step="search a smaller backbone, or limit the FLOPs of plans with `limits.flops`",
        )
    scores = _scores(groups, importance, gradients)
    selection = _Selection(before.flops, groups, scores, flops_by_layer, importance == "taylor")
    if selection.smallest > flops:
        raise RunError(
            f"backbone {backbone!r} with this plan can be pruned to {selection.smallest / 1e9:.3g} "
            f"G FLOPs ({selection.smallest / before.flops:.2f}x), not to {flops / 1e9:.3g} G: "
            "channels of feature levels, attention, grouped convolutions and heads stay",
            where="--flops",
            next_step="set a larger number, or choose a trial that shares more",
        )
    channels = selection.select(flops)
    _remove(network, groups, channels, backbone)
    return Pruned(
        before,
        network.cost,
        sum(map(len, channels)),
        sum(group.num_channels for group in groups),
    )


def _scores(
    groups: Sequence[ChannelGroup], importance: Importance, gradients: Iterable[None]
) -> list[Tensor]:
    """Return the importance of each channel ``[C]``, by group."""
    library = import_torch_pruning().importance
    if importance == "weights":
        by_norm = library.GroupMagnitudeImportance(p=2, normalizer="mean")
        return [by_norm(group.group) for group in groups]
    by_change = library.GroupTaylorImportance(
        group_reduction="mean", normalizer=None, multivariable=True
    )
    scores = [torch.zeros(group.num_channels) for group in groups]
    for _ in gradients:
        for score, group in zip(scores, groups, strict=True):
            score += by_change(group.group).cpu()
    return scores


@dataclass(slots=True)
class _Selection:
    """Greedy selection of the channels that are removed.

    Attributes:
        flops: FLOPs of the whole network.
        groups: the groups.
        scores: importance of each channel, by group.
        flops_by_layer: FLOPs by layer.
        is_per_flop: whether importance counts relative to the FLOPs that are saved. Changes of
            a loss are comparable between groups, norms of weights only after normalization.
    """

    flops: int
    groups: Sequence[ChannelGroup]
    scores: Sequence[Tensor]
    flops_by_layer: Mapping[nn.Module, int]
    is_per_flop: bool
    _kept: list[int] = field(init=False)
    _out: dict[nn.Module, int] = field(init=False, default_factory=dict)
    _in: dict[nn.Module, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for number, group in enumerate(self.groups):
            self._out.update(dict.fromkeys(group.producers, number))
            self._in.update(dict.fromkeys(group.consumers, number))
        self._kept = [group.num_channels for group in self.groups]

    @property
    def smallest(self) -> int:
        """The fewest FLOPs that can be reached."""
        return self._flops([_fewest(group.num_channels) for group in self.groups])

    def select(self, flops: float) -> list[list[int]]:
        """Return the removed channels of each group, with at most some FLOPs left."""
        orders = [torch.argsort(score, stable=True).tolist() for score in self.scores]
        queue = [entry for number in range(len(self.groups)) for entry in self._next(number)]
        heapq.heapify(queue)
        remaining = self._flops(self._kept)
        while remaining > flops:
            _, number, kept = heapq.heappop(queue)
            if kept == self._kept[number]:
                self._kept[number] -= _step(self.groups[number].num_channels)
                remaining = self._flops(self._kept)
                for entry in self._next(number):
                    heapq.heappush(queue, entry)
        return [
            order[: group.num_channels - kept]
            for order, group, kept in zip(orders, self.groups, self._kept, strict=True)
        ]

    def _next(self, number: int) -> Iterator[tuple[float, int, int]]:
        """Yield the rank of the next channels of a group, its number and its channels."""
        group, kept = self.groups[number], self._kept[number]
        size = _step(group.num_channels)
        if kept - size < _fewest(group.num_channels):
            return
        removed = group.num_channels - kept
        ranked = self.scores[number].sort(stable=True).values
        loss = float(ranked[removed : removed + size].sum())
        price = self._saved(number) if self.is_per_flop else 1.0
        yield loss / (size * price), number, kept

    def _saved(self, number: int) -> float:
        """Return the FLOPs that one channel of a group saves while all other channels exist."""
        layers = {*self.groups[number].producers, *self.groups[number].consumers}
        total = sum(self.flops_by_layer.get(layer, 0) for layer in layers)
        return max(total, 1) / self.groups[number].num_channels

    def _flops(self, kept: Sequence[int]) -> int:
        """Return the FLOPs of the network with some numbers of channels."""
        remaining = self.flops
        for layer, flops in self.flops_by_layer.items():
            size = flops
            numbers = {by_layer[layer] for by_layer in (self._out, self._in) if layer in by_layer}
            for number in numbers:
                size = size * kept[number] // self.groups[number].num_channels
            remaining += size - flops
        return remaining


def _fewest(num_channels: int) -> int:
    """Return how many channels of a group stay at least."""
    step = _step(num_channels)
    return -(-max(num_channels // MIN_SHARE, 1) // step) * step


def _step(num_channels: int) -> int:
    """Return how many channels of a group are removed at once."""
    return STEP if num_channels % STEP == 0 and num_channels >= 4 * STEP else 1


def _remove(
    network: MultiTaskNetwork,
    groups: Sequence[ChannelGroup],
    channels: Sequence[Sequence[int]],
    backbone: str,
) -> None:
    """Remove channels, and compare with a network in which the weights behind them are 0.

    Raises:
        BackboneError: the networks differ, so the channels do not belong together.
    """
    names = {module: name for name, module in network.named_modules()}
    masked = copy.deepcopy(network).eval()
    with torch.no_grad():
        for group, removed in zip(groups, channels, strict=True):
            for layer in group.consumers:
                masked.get_submodule(names[layer]).get_parameter("weight")[:, list(removed)] = 0
    for group, removed in zip(groups, channels, strict=True):
        if removed:
            group.prune(removed)
    is_equal = False
    try:
        with torch.no_grad():
            is_equal = _has_equal_features(network, masked)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise _not_prunable(backbone) from error
    if not is_equal:
        raise _not_prunable(backbone)


def _has_equal_features(network: MultiTaskNetwork, masked: MultiTaskNetwork) -> bool:
    spec = network.feature_spec
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, network.backbones.channels, *spec.image_size, generator=generator)
    was_training = network.training
    features, expected = network.eval().features(images), masked.features(images)
    network.train(was_training)
    return all(
        level.shape == other.shape
        and float((level - other).abs().max()) <= TOLERANCE * float(other.abs().max())
        for task, levels in features.items()
        for level, other in zip(levels, expected[task], strict=True)
    )


def _not_prunable(backbone: str) -> BackboneError:
    return BackboneError(
        f"backbone {backbone!r} cannot be pruned: without some channels it computes something "
        "other than with zeros in their place",
        next_step="search a smaller backbone, or limit the FLOPs of plans with `limits.flops`",
    )
