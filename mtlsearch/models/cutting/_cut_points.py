"""Cut points: the modules between which a backbone is cut.

A backbone is a tree of modules. *Cut points* are chosen in that tree so that each runs
entirely inside one unit. The modules above them, the *outer modules*, only call them one
after the other. The output of a cut point is what tasks of one group share in a forward pass.

timm's parameter groups determine the cut points of most families. A walk of the module tree
finds them for families without such groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from timm.models import group_parameters
from torch import nn

from mtlsearch.models.cutting._trace import Call, Trace

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

IsOuter = Callable[[str, nn.Module], bool]
"""Maps a module's name and the module to whether cut points lie inside of it."""


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A module whose output tasks of one group share.

    Attributes:
        path: name of the module in the model.
        calls: its calls in the trace that are not inside another cut point, in order.
        key: cut points with the same key belong to one unit. None if the cut point joins the
            unit that runs at that moment: it has no parameters, or it is used in several places.
    """

    path: str
    calls: tuple[Call, ...]
    key: int | None

    @property
    def start(self) -> int:
        """The tick of its first call."""
        return self.calls[0].start

    @property
    def flops(self) -> int:
        """FLOPs of all its calls, for one image."""
        return sum(call.flops for call in self.calls)

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the outputs of its last call."""
        return self.calls[-1].output_shapes


def cut_points_by_group(model: nn.Module, trace: Trace, *, coarse: bool) -> list[CutPoint]:
    """Find the cut points by timm's parameter groups for layer-wise learning rates.

    Outer modules are those with parameters of more than one group. Cut points are the largest
    modules below them.

    Args:
        model: the model.
        trace: its trace.
        coarse: whether to use timm's coarse groups (stages), not its fine ones (blocks).

    Returns:
        The cut points in the order of their first call; none if the family has no groups.
    """
    group_by_parameter = _parameter_groups(model, coarse=coarse)
    if not group_by_parameter:
        return []

    def groups_below(path: str) -> set[int]:
        prefix = f"{path}."
        return {group_by_parameter[name] for name in trace.first_use if name.startswith(prefix)}

    def is_outer(path: str, module: nn.Module) -> bool:
        return len(groups_below(path)) > 1

    return _find(model, trace, is_outer, groups_below)


def _parameter_groups(model: nn.Module, *, coarse: bool) -> dict[str, int]:
    """Return the group number of every parameter by name; empty without a group matcher."""
    matcher = getattr(model, "group_matcher", None)
    if matcher is None:
        return {}
    try:
        patterns = matcher(coarse=coarse)
    except (AssertionError, NotImplementedError):  # rdnet, for example, has no coarse groups
        return {}
    return dict(group_parameters(model, patterns, reverse=True))


def cut_points_by_tree(model: nn.Module, trace: Trace) -> list[CutPoint]:
    """Find the cut points by the shape of the module tree, without timm's groups.

    Outer modules are Sequentials and modules with two or more blocks of one class. Each block
    starts a unit; single layers join the unit before or after them.

    Args:
        model: the model.
        trace: its trace.

    Returns:
        The cut points in the order of their first call.
    """
    numbers: dict[str, int] = {}

    def is_outer(path: str, module: nn.Module) -> bool:
        return isinstance(module, nn.Sequential) or _has_repeated_blocks(module)

    def keys(path: str) -> set[int]:
        return {numbers.setdefault(path, len(numbers))} if _has_used_weights(path, trace) else set()

    return _join_layers(_find(model, trace, is_outer, keys), model)


def _join_layers(cut_points: list[CutPoint], model: nn.Module) -> list[CutPoint]:
    """Give every single layer the key of a block.

    A layer that changes the resolution joins the block after it, any other layer the block
    before it. The layers before the first block form a unit of their own, the stem.
    """
    joined: list[CutPoint] = []
    key, shapes = -1, None
    has_block = awaits_block = False
    for point in cut_points:
        if point.key is None:
            joined.append(point)
            continue
        is_block = _is_block(model.get_submodule(point.path))
        resizes = has_block and point.output_shapes != shapes and not is_block
        starts_unit = key < 0 or (is_block and not awaits_block) or (resizes and not awaits_block)
        key = point.key if starts_unit else key
        awaits_block = resizes or (awaits_block and not is_block)
        has_block = has_block or is_block
        shapes = point.output_shapes
        joined.append(CutPoint(point.path, point.calls, key))
    return joined


def _find(
    model: nn.Module, trace: Trace, is_outer: IsOuter, keys: Callable[[str], set[int]]
) -> list[CutPoint]:
    """Return the largest modules that are not outer modules, in the order of their first call."""
    calls_by_path = trace.calls_by_path()
    candidates: dict[str, tuple[Call, ...]] = {}

    def descend(path: str, module: nn.Module) -> None:
        if isinstance(module, nn.Identity):
            return
        calls = tuple(calls_by_path.get(path, ()))
        if calls and _encloses_below(path, calls, calls_by_path) and not is_outer(path, module):
            candidates.setdefault(path, calls)
            return
        for name, child in module.named_children():
            descend(f"{path}.{name}" if path else name, child)

    descend("", model)
    return _without_nested(candidates, keys)


def _without_nested(
    candidates: Mapping[str, tuple[Call, ...]], keys: Callable[[str], set[int]]
) -> list[CutPoint]:
    """Return the candidates without calls that are inside a call of another candidate."""
    cut_points = []
    all_calls = [call for calls in candidates.values() for call in calls]
    for path, calls in candidates.items():
        outer = tuple(call for call in calls if not any(c.encloses(call) for c in all_calls))
        if outer:
            is_reused = len(outer) < len(calls)
            key = None if is_reused else next(iter(keys(path)), None)
            cut_points.append(CutPoint(path, outer, key))
    return sorted(cut_points, key=lambda point: point.start)


def _encloses_below(
    path: str, calls: tuple[Call, ...], calls_by_path: Mapping[str, list[Call]]
) -> bool:
    """Return whether all modules below a module run only inside of its calls."""
    prefix = f"{path}."
    inner_calls = (
        c for name, below in calls_by_path.items() if name.startswith(prefix) for c in below
    )
    return all(any(call.encloses(inner) for call in calls) for inner in inner_calls)


def _has_used_weights(path: str, trace: Trace) -> bool:
    return any(name.startswith(f"{path}.") for name in trace.first_use)


def _is_block(module: nn.Module) -> bool:
    """Return whether more than two modules in a module have parameters of their own."""
    with_weights = [child for child in module.modules() if child._parameters]
    return len(with_weights) > 2


def _has_repeated_blocks(module: nn.Module) -> bool:
    """Return whether two or more blocks in a module are of one class."""
    classes = [type(child) for child in _flat_children(module) if _is_block(child)]
    return len(classes) > len(set(classes))


def _flat_children(module: nn.Module) -> list[nn.Module]:
    """Return the children, where containers are replaced by their own children."""
    children: list[nn.Module] = []
    for child in module.children():
        children += _flat_children(child) if isinstance(child, _CONTAINERS) else [child]
    return children
