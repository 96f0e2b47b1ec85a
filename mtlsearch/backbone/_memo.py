"""Outputs remembered for the length of one forward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class ActivationMemo:
    """What the modules of shared units returned in the forward that is running.

    Outside :meth:`begin` and :meth:`end` it remembers nothing and modules simply run. Each
    output is dropped with its last consumer. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._uses: dict[int, int] = {}
        self._outputs: dict[tuple[int, int], tuple[Any, int]] = {}
        self._calls: dict[int, int] = {}

    def begin(self, uses: Mapping[int, int]) -> None:
        """Start a forward.

        Args:
            uses: how many tasks want each site (one group's copy of one unit).
        """
        self._uses = dict(uses)
        self._outputs = {}
        self._calls = {}

    def next_task(self) -> None:
        """Count the calls of modules that run more than once from zero again."""
        self._calls = {}

    def end(self) -> None:
        """Forget everything."""
        self.begin({})

    @property
    def is_empty(self) -> bool:
        """Whether no output is held."""
        return not self._outputs

    def recall(self, recalled: RecalledForward, args: Any, kwargs: Any) -> Any:
        """The module's output: remembered, or computed and, if others want it, kept."""
        uses = self._uses.get(recalled.site, 1)
        if uses == 1:
            return recalled.compute(args, kwargs)
        key = (recalled.slot, self._count(recalled.slot) if recalled.repeats else 0)
        if key in self._outputs:
            output, left = self._outputs[key]
            if left == 1:
                del self._outputs[key]
            else:
                self._outputs[key] = (output, left - 1)
            return _handed_out(output, recalled.rewritten)
        output = recalled.compute(args, kwargs)
        self._outputs[key] = (output, uses - 1)
        return _handed_out(output, recalled.rewritten)

    def _count(self, slot: int) -> int:
        number = self._calls.get(slot, 0)
        self._calls[slot] = number + 1
        return number


class RecalledForward:
    """Stands in for a module's ``forward`` and asks the memo first.

    Args:
        module: the module whose class does the computing.
        memo: the memo of the network it belongs to.
        slot: number of this copy of the module, unique in the network.
        site: number of the unit's copy that it is part of.
        repeats: whether it runs more than once in a forward.
        rewritten: whether its output is written in place afterwards.
    """

    def __init__(
        self,
        module: nn.Module,
        memo: ActivationMemo,
        *,
        slot: int,
        site: int,
        repeats: bool,
        rewritten: bool,
    ) -> None:
        self.module = module
        self.memo = memo
        self.slot = slot
        self.site = site
        self.repeats = repeats
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
