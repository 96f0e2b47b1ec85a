"""The contract of a search space, and the small language in which it asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from mtlsearch.plugin._settings import Settings as PluginSettings
from mtlsearch.plugin._settings import SettingsT

if TYPE_CHECKING:
    from mtlsearch.plan import UnitSpec
    from mtlsearch.plugin._candidate import Candidate

Choice = TypeVar("Choice", None, bool, int, float, str)


class Suggest(Protocol):
    """Where a space's numbers come from; an Optuna trial is one, a fixed table another.

    Asking the same name twice gives the same answer.
    """

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """An integer in ``low .. high``, both included."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number in ``low .. high``."""

    def suggest_categorical(self, name: str, suggest: Sequence[str]) -> str:
        """One of some names that have no order."""


class SearchSpace(ABC, Generic[SettingsT]):
    """What may be proposed.

    Attributes:
        name: the name by which run files ask for it, such as ``"tree"``.
        summary: one line for ``mtlsearch list spaces``.
        starter: whether a new run file may name it without being asked to. A space says no
            that is wider than a first search can cover, or whose networks compute more than
            their weights suggest.
        Settings: its options in a run file.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    starter: ClassVar[bool] = True
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    @abstractmethod
    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """A candidate, decided by the answers of ``choices`` alone.

        Args:
            choices: where decisions come from.
            units: the units of the backbone, in depth order.
            tasks: the task names, sorted.

        Returns:
            A candidate; what it leaves None, such as loss weights, the run file decides.
        """

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Answers with which :meth:`propose` gives this candidate's plan; None if none do.

        With them the sampler learns from trials it did not propose, such as baselines.
        """
        return None

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int | None:
        """How many different plans it can propose, where that is known."""
        return None

    def candidates(
        self, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Iterable[Candidate] | None:
        """Every candidate it can propose, each once; None where they are not listed.

        Asked for only where ``count`` is small. The sampler can then compare all of them
        before each trial, which finds a good one sooner than drawing does.
        """
        return None
