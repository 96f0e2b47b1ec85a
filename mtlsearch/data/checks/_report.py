"""What checking the data found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtlsearch.data.checks._counts import LabelCounts
from mtlsearch.errors import DataError

SHOWN = 10
"""How many problems an error names; the report holds all of them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        split: the split it was found in.
        index: the image's place in that split.
        where: the file and its row.
        what: what is wrong with it.
    """

    split: str
    index: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All problems, and how often each label and class occurs.

    Attributes:
        problems: in the order of the images.
        counts: split to label to counts, over the images that can be read.
        images: split to number of images.
        repeats: of every picture that stands in several places, split and place of each; files
            do not matter, pixels do. Empty where images were not all read anew.
    """

    problems: tuple[Problem, ...]
    counts: Mapping[str, Mapping[str, LabelCounts]]
    images: Mapping[str, int]
    repeats: tuple[tuple[tuple[str, str], ...], ...] = ()

    def bad(self, split: str) -> frozenset[int]:
        """The images of a split that something is wrong with."""
        return frozenset(problem.index for problem in self.problems if problem.split == split)

    def raise_if_bad(self, max_problems: int | None = SHOWN) -> None:
        """Raise an error if there are problems.

        Args:
            max_problems: number of problems that the message lists; None for all.

        Raises:
            DataError: there are problems; the message lists them with path and row.
        """
        if not self.problems:
            return
        shown = [f"  - {problem}" for problem in self.problems[:max_problems]]
        rest = len(self.problems) - len(shown)
        if rest:
            shown.append(f"  - and {rest} more")
        count, total = len(self.problems), sum(self.images.values())
        raise DataError(
            "\n".join([f"{count} problem(s) in {total} images", *shown]),
            next_step="mend or remove these files and rows; `mtlsearch check RUN.yaml` lists all",
        )
