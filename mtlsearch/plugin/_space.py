"""Contract of a search space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol

from mtlsearch.plugin._settings import Settings as PluginSettings
from mtlsearch.plugin._settings import SettingsT

if TYPE_CHECKING:
    from mtlsearch.plan import SharingPlan, UnitSpec
    from mtlsearch.plugin._candidate import Candidate


class Suggest(Protocol):
    """Methods through which a search space asks a sampler for params.

    An :class:`optuna.Trial` has these methods. Within one proposal, a name always gets the same
    value.
    """

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return an integer.

        Args:
            name: name of the parameter.
            low: smallest value.
            high: largest value, included.

        Returns:
            A value in ``low .. high``.
        """

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number.

        Args:
            name: name of the parameter.
            low: smallest value; positive if ``log`` is set.
            high: largest value.
            log: whether to sample on a logarithmic scale.

        Returns:
            A value in ``[low, high]``.
        """

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """Return one of several names that have no order.

        Args:
            name: name of the parameter.
            choices: the names, at least one.

        Returns:
            One of ``choices``.
        """


class SearchSpace(ABC, Generic[SettingsT]):
    """Set of sharing plans that a search can propose.

    Implement :meth:`propose`. Implement :meth:`encode`, :meth:`count` and :meth:`candidates` too
    if possible: samplers then learn from more trials and find good plans in fewer trials.

    Attributes:
        name: name in run files (``search.space``), such as ``"tree"``.
        summary: one line for ``mtlsearch list spaces``.
        starter: whether ``mtlsearch init`` may choose this space. Set it to False if the space
            is too large for a first search, or if its networks have more FLOPs than their
            parameters suggest.
        extends: whether the space extends the plan of a network that is kept, for
            ``mtlsearch extend``.
        kept_plan: plan of that network, which :meth:`propose` extends by the tasks; None without a
            kept network. The program sets it.
        Settings: pydantic model of the options in a run file.

    Args:
        settings: an instance of :attr:`Settings`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    starter: ClassVar[bool] = True
    extends: ClassVar[bool] = False
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings
        self.kept_plan: SharingPlan | None = None

    @abstractmethod
    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Return the candidate that the suggested params determine.

        The same params must give the same candidate, without any other source of randomness.

        Args:
            suggest: source of the params.
            units: units of the backbone in depth order.
            tasks: task names, sorted.

        Returns:
            A candidate with a plan for these tasks and units, and for those of :attr:`kept_plan`.
            Fields that keep their default, such as loss weights, are filled in from the run file.
        """

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return the params with which :meth:`propose` returns this candidate's plan.

        They let a sampler learn from trials that it did not propose, such as baselines.

        Args:
            candidate: any candidate; its plan may be outside of this space.
            units: units of the backbone in depth order.
            tasks: task names, sorted.

        Returns:
            Params by name; None if the space does not contain the plan or cannot encode it.
        """
        return None

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int | None:
        """Return the number of different plans in this space.

        Args:
            units: units of the backbone in depth order.
            tasks: task names, sorted.

        Returns:
            The number; None if it is unknown.
        """
        return None

    def candidates(
        self, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Iterable[Candidate] | None:
        """Return every candidate of this space, each once.

        Called only if :meth:`count` is small. A sampler then ranks all candidates before each
        trial, which needs fewer trials than sampling.

        Args:
            units: units of the backbone in depth order.
            tasks: task names, sorted.

        Returns:
            The candidates; None if they cannot be enumerated.
        """
        return None
