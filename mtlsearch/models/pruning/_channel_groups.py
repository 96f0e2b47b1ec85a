"""Channel groups: channels of several layers that can only be removed together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mtlsearch.errors import ConfigError
from mtlsearch.models._network import MultiTaskNetwork
from mtlsearch.models.cutting import dtype_of

if TYPE_CHECKING:
    from torch_pruning import DependencyGraph

MIN_CHANNELS = 8
"""Groups with fewer channels are not pruned."""

_MIXES_CHANNELS = re.compile("bmm|softmax|scaleddot")
_MOVES_CHANNELS = re.compile("permute|transpose")


@dataclass(frozen=True, slots=True, eq=False)
class ChannelGroup:
    """Channels that are removed together, and the layers that have them.

    Attributes:
        num_channels: number of channels.
        group: torch-pruning's group of all channels.
        producers: layers of which these are output channels.
        consumers: layers of which these are input channels.
    """

    num_channels: int
    group: Any
    producers: tuple[nn.Module, ...]
    consumers: tuple[nn.Module, ...]

    def prune(self, channels: Sequence[int]) -> None:
        """Remove channels from all layers of the group.

        Args:
            channels: indices of the channels.
        """
        self.group.prune(idxs=sorted(channels))


class _TracedBackbones(nn.Module):
    """Backbones with a convolution behind each feature level, which marks its channels."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.backbones = network.backbones
        self.ends = nn.ModuleList()
        self._end_by_task: dict[str, list[nn.Module]] = {}
        for task in network.tasks:
            ends = [nn.Conv2d(level.channels, 1, 1) for level in network.feature_spec.levels]
            self._end_by_task[task] = list(ends)
            self.ends.extend(ends)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [
            end(level)
            for task, levels in self.backbones(images).items()
            for end, level in zip(self._end_by_task[task], levels, strict=True)
        ]


def find_channel_groups(
    network: MultiTaskNetwork,
) -> tuple[list[ChannelGroup], dict[nn.Module, int]]:
    """Find the groups of channels that can be removed from the backbones of a network.

    A group is left out if a feature level has its channels; if attention, a normalization over
    channels, a grouped convolution or another unsupported operation uses them; if its layers are
    frozen; or if several modules have the same weights, as with statistics by path.

    Args:
        network: the network, on the CPU.

    Returns:
        The groups in depth order; and FLOPs of one image by convolution or linear layer.

    Raises:
        ConfigError: torch-pruning is not installed.
    """
    torch_pruning = import_torch_pruning()
    frozen = {id(weight) for weight in network.parameters() if not weight.requires_grad}
    shared = _with_several_owners(network.backbones)
    traced = _TracedBackbones(network)
    images = torch.zeros(
        1,
        network.backbones.channels,
        *network.feature_spec.image_size,
        dtype=dtype_of(network.backbones),
    )
    graph: DependencyGraph = torch_pruning.DependencyGraph()
    with _traceable(network), _counted_flops(network.backbones) as flops:
        graph.build_dependency(traced, (images,), verbose=False)
    ends = set(traced.ends)
    groups = [
        _channel_group(group, graph)
        for group in graph.get_all_groups()
        if _is_prunable(group, ends, torch_pruning.ops.OPTYPE, frozen | shared)
    ]
    return groups, flops


def import_torch_pruning() -> Any:
    """Import torch-pruning.

    Returns:
        The package.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import torch_pruning
    except ImportError as error:
        raise ConfigError(
            "compression requires torch-pruning, which is not installed",
            where="mtlsearch compress",
            next_step="install it with `pip install 'mtlsearch[compress]'`",
        ) from error
    return torch_pruning


def _channel_group(group: Any, graph: DependencyGraph) -> ChannelGroup:
    producers: list[nn.Module] = []
    consumers: list[nn.Module] = []
    for dependency, _ in group:
        module = dependency.target.module
        if not any(True for _ in module.parameters()):
            continue
        is_output = graph.is_out_channel_pruning_fn(dependency.handler)
        (producers if is_output else consumers).append(module)
    return ChannelGroup(len(group[0].idxs), group, tuple(producers), tuple(consumers))


def _is_prunable(group: Any, ends: set[nn.Module], optype: Any, kept: set[int]) -> bool:
    """Return whether all layers and operations of a group work on each channel alone."""
    allowed = {
        optype.CONV,
        optype.DEPTHWISE_CONV,
        optype.BN,
        optype.LINEAR,
        optype.ELEMENTWISE,
        optype.RESHAPE,
    }
    num_channels = len(group[0].idxs)
    has_reshape = any(dependency.target.type == optype.RESHAPE for dependency, _ in group)
    unsupported = [_MIXES_CHANNELS, *([_MOVES_CHANNELS] if has_reshape else [])]
    for dependency, indices in group:
        node = dependency.target
        if node.module in ends or node.type not in allowed or len(indices) != num_channels:
            return False
        if node.type == optype.ELEMENTWISE:
            name = str(getattr(node.module, "_grad_fn", "")).lower()
            if any(pattern.search(name) for pattern in unsupported):
                return False
        elif node.type != optype.RESHAPE and not _is_plain(node.module, kept):
            return False
        # A linear layer reshapes its input; between other layers a reshape may mix channels.
        if has_reshape and node.type not in (optype.LINEAR, optype.ELEMENTWISE, optype.RESHAPE):
            return False
    return num_channels >= MIN_CHANNELS


def _is_plain(module: nn.Module, kept: set[int]) -> bool:
    """Return whether a layer has ordinary weights that may be removed."""
    weights = dict(module.named_parameters())
    if not weights.keys() <= {"weight", "bias"} or any(id(w) in kept for w in weights.values()):
        return False
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 or module.groups == module.in_channels == module.out_channels
    return True


def _with_several_owners(network: nn.Module) -> set[int]:
    """Return the ids of parameters that several modules have."""
    owners: dict[int, int] = {}
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return {parameter for parameter, count in owners.items() if count > 1}


@contextmanager
def _traceable(network: MultiTaskNetwork) -> Iterator[None]:
    """Let every weight have a gradient, by which torch-pruning traces; restore all settings."""
    requires_grad = {weight: weight.requires_grad for weight in network.parameters()}
    was_training = network.training
    network.eval()
    try:
        for weight in requires_grad:
            weight.requires_grad_(True)
        with torch.enable_grad():
            yield
    finally:
        for weight, value in requires_grad.items():
            weight.requires_grad_(value)
        network.train(was_training)


@contextmanager
def _counted_flops(network: nn.Module) -> Iterator[dict[nn.Module, int]]:
    """Count the FLOPs of each convolution and linear layer, once per run."""
    flops: dict[nn.Module, int] = {}
    counted: list[Any] = []

    def count(module: nn.Module, _: Any, output: Tensor) -> None:
        source = output.grad_fn
        if source is not None and source.name().startswith("Clone"):  # from the activation cache
            source = source.next_functions[0][0]
        if any(source is seen for seen in counted):
            return
        counted.append(source)
        weight = module.get_parameter("weight")
        per_output = weight.numel() // len(weight)
        flops[module] = flops.get(module, 0) + 2 * output.numel() * per_output

    hook: Callable[..., Any] = count
    handles = [
        module.register_forward_hook(hook)
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    try:
        yield flops
    finally:
        for handle in handles:
            handle.remove()
