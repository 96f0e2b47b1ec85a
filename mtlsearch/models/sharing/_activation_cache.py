"""Outputs remembered for the length of one forward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

Key = tuple[int, int, int]
"""A site, and within it a slot and the number of its call."""


class ActivationCache:
    """What the modules of shared units returned in the forward that is running.

    Outside :meth:`begin` and :meth:`end` it remembers nothing and modules simply run. Each
    output is dropped with its last consumer. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._uses: dict[int, int] = {}
        self._sites: tuple[int, ...] = ()
        self._outputs: dict[Key, tuple[Any, int]] = {}
        self._calls: dict[int, int] = {}
        self._inside = False

    def begin(self, uses: Mapping[int, int]) -> None:
        """Start a forward.

        Args:
            uses: how many tasks want each site (one group's copy of one unit).
        """
        self.end()
        self._uses = dict(uses)

    def next_task(self, sites: tuple[int, ...]) -> None:
        """Go on with another task, which uses these sites, one a unit."""
        self._sites = sites
        self._calls = {}

    def end(self) -> None:
        """Forget everything."""
        self._uses = {}
        self._sites = ()
        self._outputs = {}
        self._calls = {}
        self._inside = False

    @property
    def is_empty(self) -> bool:
        """Whether no output is held."""
        return not self._outputs

    def recall(self, slot: CachedForward, args: Any, kwargs: Any) -> Any:
        """The module's output: remembered, or computed and, if others want it, kept."""
        if self._inside or not self._sites:
            return slot.compute(args, kwargs)
        number = self._count(slot.number) if len(slot.units) > 1 else 0
        site = self._sites[slot.units[number]]
        key = (site, slot.number, number)
        if key in self._outputs:
            output, left = self._outputs.pop(key)
            if left > 1:
                self._outputs[key] = (output, left - 1)
            return _handed_out(output, slot.rewritten)
        self._inside = True
        output = slot.compute(args, kwargs)
        self._inside = False
        uses = self._uses[site]
        if uses > 1:
            self._outputs[key] = (output, uses - 1)
            return _handed_out(output, slot.rewritten)
        return output

    def _count(self, slot: int) -> int:
        number = self._calls.get(slot, 0)
        self._calls[slot] = number + 1
        return number


class CachedForward:
    """Stands in for a module's ``forward`` and asks the memo first.

    Args:
        module: the module whose class does the computing.
        memo: the memo of the network it belongs to.
        number: of the slot in the model.
        units: the unit of each of its runs in a forward, those inside other slots not
            counted.
        rewritten: whether its output is written in place afterwards.
    """

    def __init__(
        self,
        module: nn.Module,
        memo: ActivationCache,
        *,
        number: int,
        units: tuple[int, ...],
        rewritten: bool,
    ) -> None:
        self.module = module
        self.memo = memo
        self.number = number
        self.units = units
        self.rewritten = rewritten

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.memo.recall(self, args, kwargs)

    def compute(self, args: Any, kwargs: Any) -> Any:
        """Run the module itself."""
        return type(self.module).forward(self.module, *args, **kwargs)


def _handed_out(output: Any, rewritten: bool) -> Any:
    """The output as a consumer may have it: its own list, its own tensor if it writes to it."""
    if isinstance(output, Tensor):
        return output.clone() if rewritten else output
    if type(output) is list:
        return [_handed_out(item, rewritten) for item in output]
    if type(output) is tuple:
        return tuple(_handed_out(item, rewritten) for item in output)
    if type(output) is dict:
        return {key: _handed_out(item, rewritten) for key, item in output.items()}
    return output
