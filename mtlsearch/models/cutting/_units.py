"""From slots to units: in order of running, merged where needed, with what each one costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from torch import nn

from mtlsearch.errors import BackboneError
from mtlsearch.models.cutting._cut_points import CutPoint, matched_cut_points, walked_cut_points
from mtlsearch.models.cutting._trace import Call, Trace

Granularity = Literal["stage", "block"] | int

_FEWEST = 4  # with fewer units a search has nothing to choose


@dataclass(frozen=True, slots=True)
class UnitModules:
    """What belongs to one unit.

    Attributes:
        calls: the runs of slots, modules whose outputs are shared, in order.
        parameters: names of every parameter that the unit owns, inside slots or not.
    """

    calls: tuple[Call, ...]
    parameters: tuple[str, ...]

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that run, in order."""
        return tuple(dict.fromkeys(call.path for call in self.calls))

    @property
    def flops(self) -> int:
        """Of all runs, for one image."""
        return sum(call.flops for call in self.calls)


def find_unit_modules(model: nn.Module, seen: Trace, granularity: Granularity) -> list[UnitModules]:
    """The units of a model, in depth order.

    Raises:
        BackboneError: the model has fewer units than were asked for.
    """
    if granularity == "stage":
        return _own(_stages(model, seen), model, seen)
    blocks = _own(_blocks(model, seen), model, seen)
    if granularity == "block":
        return blocks
    if not 1 <= granularity <= len(blocks):
        raise BackboneError(
            f"the backbone cannot be cut into {granularity} units",
            where="granularity",
            allowed=[f"1 .. {len(blocks)}"],
            next_step='set granularity to "stage", "block" or a number in that range',
        )
    return merge_unit_modules(blocks, granularity)


def merge_unit_modules(pieces: Sequence[UnitModules], count: int) -> list[UnitModules]:
    """Neighbours merged into ``count`` pieces, the costliest of which is as cheap as can be."""
    weights = [piece.flops for piece in pieces]
    if not any(weights):
        weights = [1] * len(pieces)
    bounds = [0, *_fairest_cuts(weights, count), len(pieces)]
    return [_joined(pieces[low:high]) for low, high in pairwise(bounds)]


def _stages(model: nn.Module, seen: Trace) -> list[list[CutPoint]]:
    stages = _merge_interleaved(matched_cut_points(model, seen, coarse=True))
    if len(stages) >= _FEWEST:
        return stages
    blocks = _merge_interleaved(walked_cut_points(model, seen))
    alike = _merge_alike(blocks)
    return max((alike if len(alike) >= _FEWEST else blocks), stages, key=len)


def _blocks(model: nn.Module, seen: Trace) -> list[list[CutPoint]]:
    fine = _merge_interleaved(matched_cut_points(model, seen, coarse=False))
    coarse = _merge_interleaved(matched_cut_points(model, seen, coarse=True))
    if len(fine) > max(len(coarse), _FEWEST - 1):
        return fine
    walked = _merge_interleaved(walked_cut_points(model, seen))
    return max(fine, walked, key=len)


def _merge_interleaved(slots: Sequence[CutPoint]) -> list[list[CutPoint]]:
    """Slots of one key together; keys whose runs overlap in time become one."""
    last: dict[int, int] = {}
    for slot in slots:
        if slot.key is not None:
            last[slot.key] = max(last.get(slot.key, 0), slot.calls[-1].start)
    units: list[list[CutPoint]] = []
    until = -1
    for slot in slots:
        begins = slot.key is not None and slot.start > until
        if not units or (begins and any(each.key is not None for each in units[-1])):
            units.append([])
        units[-1].append(slot)
        if slot.key is not None:
            until = max(until, last[slot.key])
    return _merge_idle(units)


def _merge_idle(units: Sequence[list[CutPoint]]) -> list[list[CutPoint]]:
    """A unit without work of its own, such as a lone norm, joins the one before."""
    busy: list[list[CutPoint]] = []
    for unit in units:
        if busy and not any(slot.flops for slot in unit):
            busy[-1] += unit
        else:
            busy.append(unit)
    return busy


def _merge_alike(units: Sequence[list[CutPoint]]) -> list[list[CutPoint]]:
    """Neighbours whose outputs have one shape become one unit: a stage. The stem stays alone."""
    stages: list[list[CutPoint]] = []
    before: object = None
    for unit in units:
        shape = unit[-1].shape
        if len(stages) > 1 and shape == before:
            stages[-1] += unit
        else:
            stages.append(list(unit))
        before = shape
    return stages


def _own(units: Sequence[list[CutPoint]], model: nn.Module, seen: Trace) -> list[UnitModules]:
    """Each unit with its parameters and its share of the work.

    What has no unit of its own belongs to the one that is running when it is first used.
    """
    starts = [unit[0].start for unit in units]

    def at(tick: int) -> int:
        return max(0, sum(start <= tick for start in starts) - 1)

    owned: list[list[str]] = [[] for _ in units]
    homes = _slot_homes(units)
    for name, _ in model.named_parameters():
        used = seen.first_use.get(name)
        owned[_home_of(name, homes) if used is None else at(used)].append(name)
    calls: list[list[Call]] = [[] for _ in units]
    every = (call for unit in units for slot in unit for call in slot.calls)
    for call in sorted(every, key=lambda call: call.start):
        calls[at(call.start)].append(call)
    return [UnitModules(tuple(c), tuple(names)) for c, names in zip(calls, owned, strict=True)]


def _slot_homes(units: Sequence[list[CutPoint]]) -> dict[str, int]:
    return {slot.path: index for index, unit in enumerate(units) for slot in unit}


def _home_of(name: str, homes: Mapping[str, int]) -> int:
    """The unit of the slot that a parameter lies in; the first one if it lies in none."""
    parts = name.split(".")
    prefixes = accumulate(parts, lambda path, part: f"{path}.{part}")
    return next((homes[prefix] for prefix in prefixes if prefix in homes), 0)


def _joined(pieces: Sequence[UnitModules]) -> UnitModules:
    return UnitModules(
        calls=tuple(call for piece in pieces for call in piece.calls),
        parameters=tuple(name for piece in pieces for name in piece.parameters),
    )


def _fairest_cuts(weights: Sequence[int], count: int) -> list[int]:
    """Where to cut a row of weights into ``count`` parts so that the largest is smallest.

    Dynamic programming over prefixes: ``best[n]`` is the smallest possible largest part of
    the first ``n`` weights, beside the cuts that reach it.
    """
    sums = [0, *accumulate(weights)]
    best: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    for parts in range(1, count + 1):
        best = {
            end: min(
                (max(best[cut][0], sums[end] - sums[cut]), [*best[cut][1], cut])
                for cut in best
                if cut < end
            )
            for end in range(parts, len(weights) - count + parts + 1)
        }
    return best[len(weights)][1][1:]
