"""Answers to a search space's questions without a sampler."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mtlsearch.errors import PlanError

Answer = int | float | str


class FixedSuggest:
    """Answers from a table, as a candidate's ``encode`` gives it.

    Attributes:
        asked: the answers that were asked for, by name.

    Args:
        table: an answer a name.
    """

    def __init__(self, table: Mapping[str, Answer]) -> None:
        self._table = table
        self.asked: dict[str, Answer] = {}

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """The table's integer."""
        return int(self._answer(name, lambda value: low <= int(value) <= high))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """The table's number."""
        return float(self._answer(name, lambda value: low <= float(value) <= high))

    def suggest_categorical(self, name: str, suggest: Sequence[str]) -> str:
        """The table's name."""
        return str(self._answer(name, lambda value: value in suggest))

    def _answer(self, name: str, fits: Callable[[Any], bool]) -> Answer:
        if name not in self._table:
            raise PlanError(f"the space asks for {name!r}, which the table does not answer")
        value = self._table[name]
        if not fits(value):
            raise PlanError(f"the table answers {name!r} with {value!r}, which is not on offer")
        self.asked[name] = value
        return value


class RandomSuggest:
    """Random answers, the same for the same name.

    Attributes:
        asked: the answers so far, by name.

    Args:
        seed: decides.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.asked: dict[str, Answer] = {}

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Any of ``low .. high``."""
        _check_range(name, low, high)
        return int(self.asked.setdefault(name, self._random.randint(low, high)))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Any number between them."""
        _check_range(name, low, high)
        if log and low <= 0:
            raise PlanError(f"{name!r} is asked for on a log scale from {low}")
        return float(self.asked.setdefault(name, self._random.uniform(low, high)))

    def suggest_categorical(self, name: str, suggest: Sequence[str]) -> str:
        """Any of the names."""
        if not suggest:
            raise PlanError(f"{name!r} is asked for with nothing to choose from")
        return str(self.asked.setdefault(name, self._random.choice(list(suggest))))


class _Walk:
    """One walk through all questions; each answer is the one that ``path`` says."""

    def __init__(self, path: list[int]) -> None:
        self._path = path
        self._known: dict[str, Answer] = {}
        self.widths: list[int] = []

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """The next answer of the path."""
        _check_range(name, low, high)
        return int(self._next(name, range(low, high + 1)))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """The lowest: plans do not hang on it."""
        _check_range(name, low, high)
        return float(self._known.setdefault(name, low))

    def suggest_categorical(self, name: str, suggest: Sequence[str]) -> str:
        """The next answer of the path."""
        return str(self._next(name, suggest))

    def _next(self, name: str, options: Sequence[Answer]) -> Answer:
        if name not in self._known:
            at = len(self.widths)
            self.widths.append(len(options))
            self._known[name] = options[self._path[at] if at < len(self._path) else 0]
        return self._known[name]


def every_choice() -> Iterator[_Walk]:
    """Every way to answer integers and names, one after another.

    Each must be given to ``propose`` before the next is asked for.
    """
    path: list[int] = []
    while True:
        walk = _Walk(path)
        yield walk
        path = (path + [0] * len(walk.widths))[: len(walk.widths)]
        while path and path[-1] + 1 == walk.widths[len(path) - 1]:
            path.pop()
        if not path:
            return
        path[-1] += 1


def _check_range(name: str, low: float, high: float) -> None:
    if low > high:
        raise PlanError(f"{name!r} is asked for in {low} .. {high}, which is empty")
