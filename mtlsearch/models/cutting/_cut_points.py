"""The modules a backbone is cut between.

A *slot* is a module that runs whole within one unit; the *spine* is what stands above
slots and strings them together. A slot's output is what shells of one group share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from timm.models import group_parameters
from torch import nn

from mtlsearch.models.cutting._trace import Call, Trace

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

Expand = Callable[[str, nn.Module], bool]


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A module whose output is remembered.

    Attributes:
        path: its name in the model.
        calls: its runs in the dry run outside of other slots, in order.
        key: slots with one key belong to one unit; None for a slot that goes with whatever
            unit is running: one without parameters, or tied in several places.
    """

    path: str
    calls: tuple[Call, ...]
    key: int | None

    @property
    def start(self) -> int:
        """The tick of its first run."""
        return self.calls[0].start

    @property
    def flops(self) -> int:
        """What its runs cost."""
        return sum(call.flops for call in self.calls)

    @property
    def shape(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of its last run's outputs."""
        return self.calls[-1].shapes


def matched_cut_points(model: nn.Module, seen: Trace, *, coarse: bool) -> list[CutPoint]:
    """Slots by timm's own parameter groups; none where the family has no matcher.

    The spine is the modules whose parameters lie in more than one group, the slots are the
    largest modules below it.
    """
    group_of = _matched_groups(model, coarse=coarse)
    if not group_of:
        return []

    def in_many_groups(path: str, module: nn.Module) -> bool:
        return len(_groups_below(path, seen, group_of)) > 1

    return _find(model, seen, in_many_groups, lambda path: _groups_below(path, seen, group_of))


def _matched_groups(model: nn.Module, *, coarse: bool) -> dict[str, int]:
    """The group of every parameter, as timm numbers them for layer-wise learning rates."""
    matcher = getattr(model, "group_matcher", None)
    if matcher is None:
        return {}
    try:
        patterns = matcher(coarse=coarse)
    except (AssertionError, NotImplementedError):  # rdnet knows no coarse groups, and says so
        return {}
    return dict(group_parameters(model, patterns, reverse=True))


def walked_cut_points(model: nn.Module, seen: Trace) -> list[CutPoint]:
    """Slots by the shape of the module tree, for families without a matcher.

    Sequentials are expanded, and every module with two or more composite children of one
    class. Each composite slot is a key of its own; single layers join the slot before.
    """
    numbers: dict[str, int] = {}

    def expand(path: str, module: nn.Module) -> bool:
        return isinstance(module, nn.Sequential) or _has_twins(module)

    def key(path: str) -> set[int]:
        return {numbers.setdefault(path, len(numbers))} if _has_uses(path, seen) else set()

    return _join_layers(_find(model, seen, expand, key), model)


def _join_layers(slots: list[CutPoint], model: nn.Module) -> list[CutPoint]:
    """Give every single layer the key of a block.

    It is the block before, or the block behind where the layer changes the resolution. What
    stands before the first block is a unit: the stem.
    """
    joined: list[CutPoint] = []
    running, shape = -1, None
    seen_block = awaits_block = False
    for slot in slots:
        if slot.key is None:
            joined.append(slot)
            continue
        composite = _is_composite(model.get_submodule(slot.path))
        resizes = seen_block and slot.shape != shape and not composite
        begins = running < 0 or (composite and not awaits_block) or (resizes and not awaits_block)
        running = slot.key if begins else running
        awaits_block = resizes or (awaits_block and not composite)
        seen_block = seen_block or composite
        shape = slot.shape
        joined.append(CutPoint(slot.path, slot.calls, running))
    return joined


def _find(
    model: nn.Module, seen: Trace, expand: Expand, keys: Callable[[str], set[int]]
) -> list[CutPoint]:
    """The largest modules that need no expanding, in order of their first run."""
    by_path = seen.by_path()
    candidates: dict[str, tuple[Call, ...]] = {}

    def descend(path: str, module: nn.Module) -> None:
        if isinstance(module, nn.Identity):
            return
        calls = tuple(by_path.get(path, ()))
        if calls and _encloses(path, calls, by_path) and not expand(path, module):
            candidates.setdefault(path, calls)
            return
        for name, child in module.named_children():
            descend(f"{path}.{name}" if path else name, child)

    descend("", model)
    return _independent(candidates, keys)


def _independent(
    candidates: Mapping[str, tuple[Call, ...]], keys: Callable[[str], set[int]]
) -> list[CutPoint]:
    """The candidates with those of their runs that are not inside another one."""
    slots = []
    every = [call for calls in candidates.values() for call in calls]
    for path, calls in candidates.items():
        outer = tuple(call for call in calls if not any(other.holds(call) for other in every))
        if outer:
            tied = len(outer) < len(calls)
            key = None if tied else next(iter(keys(path)), None)
            slots.append(CutPoint(path, outer, key))
    return sorted(slots, key=lambda slot: slot.start)


def _encloses(path: str, calls: tuple[Call, ...], by_path: Mapping[str, list[Call]]) -> bool:
    """Whether everything below the module runs inside its own calls."""
    below = (c for name, found in by_path.items() if name.startswith(f"{path}.") for c in found)
    return all(any(call.holds(inner) for call in calls) for inner in below)


def _groups_below(path: str, seen: Trace, group_of: Mapping[str, int]) -> set[int]:
    return {group_of[name] for name in seen.first_use if name.startswith(f"{path}.")}


def _has_uses(path: str, seen: Trace) -> bool:
    return any(name.startswith(f"{path}.") for name in seen.first_use)


def _is_composite(module: nn.Module) -> bool:
    with_weights = [child for child in module.modules() if child._parameters]
    return len(with_weights) > 2


def _has_twins(module: nn.Module) -> bool:
    """Whether two or more composite children are of one class."""
    composite = [type(child) for child in _branches(module) if _is_composite(child)]
    return len(composite) > len(set(composite))


def _branches(module: nn.Module) -> list[nn.Module]:
    """The children, those of sequentials, lists and dicts in their place."""
    found: list[nn.Module] = []
    for child in module.children():
        found += _branches(child) if isinstance(child, _CONTAINERS) else [child]
    return found
