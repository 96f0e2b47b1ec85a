"""Report of a data check: problems, counts and duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtlsearch.data.checks._counts import LabelCounts
from mtlsearch.data.checks._pictures import PictureCounts
from mtlsearch.errors import DataError

MAX_LISTED = 10
"""Maximum number of problems in an error message; the report contains all of them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one image.

    Attributes:
        split: split of the image.
        index: index of the image in the split.
        where: the file, and the row in it.
        what: what is wrong.
    """

    split: str
    index: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Result of reading all images of some splits.

    Attributes:
        problems: all problems, in the order of the images.
        counts: counts of valid images, by split and label.
        num_images: number of images by split.
        duplicates: for every picture that occurs several times, split and file of each
            occurrence. Pictures are compared by pixels. Empty unless all images were read.
        pictures: what reading the pictures lost, by split.
    """

    problems: tuple[Problem, ...]
    counts: Mapping[str, Mapping[str, LabelCounts]]
    num_images: Mapping[str, int]
    duplicates: tuple[tuple[tuple[str, str], ...], ...] = ()
    pictures: Mapping[str, PictureCounts] = field(default_factory=dict)

    def invalid_indices(self, split: str) -> frozenset[int]:
        """Return the images of a split that have problems.

        Args:
            split: the split.

        Returns:
            Indices in the split.
        """
        return frozenset(problem.index for problem in self.problems if problem.split == split)

    def raise_if_bad(self) -> None:
        """Raise an error if there are problems.

        Raises:
            DataError: there are problems; the message lists the first ten.
        """
        if not self.problems:
            return
        listed = [f"  - {problem}" for problem in self.problems[:MAX_LISTED]]
        rest = len(self.problems) - len(listed)
        if rest:
            listed.append(f"  - and {rest} more")
        num_problems, num_images = len(self.problems), sum(self.num_images.values())
        raise DataError(
            "\n".join([f"{num_problems} problem(s) in {num_images} images", *listed]),
            next_step="fix or remove these files and rows; `mtlsearch check RUN.yaml` lists all",
        )
