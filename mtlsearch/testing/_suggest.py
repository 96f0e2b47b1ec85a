"""Implementations of ``Suggest`` without a sampler."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mtlsearch.errors import PlanError

Param = int | float | str


class FixedSuggest:
    """Suggestions from a table, such as :meth:`SearchSpace.encode` returns.

    Attributes:
        params: values that were suggested so far, by name.

    Args:
        table: value of each parameter.
    """

    def __init__(self, table: Mapping[str, Param]) -> None:
        self._table = table
        self.params: dict[str, Param] = {}

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return the integer in the table.

        Args:
            name: name of the parameter.
            low: smallest value.
            high: largest value.

        Returns:
            The value.

        Raises:
            PlanError: the table lacks the name, or the value is outside of ``low .. high``.
        """
        return int(self._suggest(name, lambda value: low <= int(value) <= high))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return the number in the table.

        Args:
            name: name of the parameter.
            low: smallest value.
            high: largest value.
            log: ignored.

        Returns:
            The value.

        Raises:
            PlanError: the table lacks the name, or the value is outside of ``[low, high]``.
        """
        return float(self._suggest(name, lambda value: low <= float(value) <= high))

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """Return the name in the table.

        Args:
            name: name of the parameter.
            choices: allowed values.

        Returns:
            The value.

        Raises:
            PlanError: the table lacks the name, or the value is not one of the choices.
        """
        return str(self._suggest(name, lambda value: value in choices))

    def _suggest(self, name: str, is_allowed: Callable[[Any], bool]) -> Param:
        if name not in self._table:
            raise PlanError(f"the space suggests {name!r}, which is not in the table")
        value = self._table[name]
        if not is_allowed(value):
            raise PlanError(f"the table has {value!r} for {name!r}, which is not an allowed value")
        self.params[name] = value
        return value


class RandomSuggest:
    """Uniform random suggestions; a name keeps its first value.

    Attributes:
        params: values that were suggested so far, by name.

    Args:
        seed: seed of the random generator.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.params: dict[str, Param] = {}

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return a random integer.

        Args:
            name: name of the parameter.
            low: smallest value.
            high: largest value.

        Returns:
            A value in ``low .. high``.

        Raises:
            PlanError: the range is empty.
        """
        _check_range(name, low, high)
        return int(self.params.setdefault(name, self._random.randint(low, high)))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a random number, uniform also if ``log`` is set.

        Args:
            name: name of the parameter.
            low: smallest value.
            high: largest value.
            log: whether ``low`` must be positive.

        Returns:
            A value in ``[low, high]``.

        Raises:
            PlanError: the range is empty, or ``low`` is not positive although ``log`` is set.
        """
        _check_range(name, low, high)
        if log and low <= 0:
            raise PlanError(f"{name!r} has a log scale, which needs a positive `low`, got {low}")
        return float(self.params.setdefault(name, self._random.uniform(low, high)))

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """Return a random name.

        Args:
            name: name of the parameter.
            choices: allowed values.

        Returns:
            One of the choices.

        Raises:
            PlanError: there are no choices.
        """
        if not choices:
            raise PlanError(f"{name!r} has no choices")
        return str(self.params.setdefault(name, self._random.choice(list(choices))))


class _PathSuggest:
    """Suggestions that follow one path through the tree of all values.

    Attributes:
        widths: number of allowed values of each parameter, in order of first use.

    Args:
        path: index of the value of each parameter; 0 beyond its end.
    """

    def __init__(self, path: list[int]) -> None:
        self._path = path
        self._params: dict[str, Param] = {}
        self.widths: list[int] = []

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return the integer on the path."""
        _check_range(name, low, high)
        return int(self._next(name, range(low, high + 1)))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return the smallest number, because plans do not depend on floats."""
        _check_range(name, low, high)
        return float(self._params.setdefault(name, low))

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """Return the name on the path."""
        return str(self._next(name, choices))

    def _next(self, name: str, values: Sequence[Param]) -> Param:
        if name not in self._params:
            depth = len(self.widths)
            self.widths.append(len(values))
            self._params[name] = values[self._path[depth] if depth < len(self._path) else 0]
        return self._params[name]


def enumerate_suggestions() -> Iterator[_PathSuggest]:
    """Yield a ``Suggest`` for each combination of integers and names.

    Pass each one to ``propose`` before you request the next one.

    Yields:
        The next combination.
    """
    path: list[int] = []
    while True:
        suggest = _PathSuggest(path)
        yield suggest
        path = (path + [0] * len(suggest.widths))[: len(suggest.widths)]
        while path and path[-1] + 1 == suggest.widths[len(path) - 1]:
            path.pop()
        if not path:
            return
        path[-1] += 1


def _check_range(name: str, low: float, high: float) -> None:
    if low > high:
        raise PlanError(f"{name!r} has an empty range {low} .. {high}")
