"""Report of a data check: problems, counts and duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtlsearch.data.checks._counts import LabelCounts
from mtlsearch.data.checks._flagged_images import ImageCounts
from mtlsearch.data.checks._image_errors import (
    MAX_KINDS,
    Problem,
    group_problems,
    kind_errors,
    list_examples,
)
from mtlsearch.errors import DataError


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Result of reading all images of some splits.

    Attributes:
        problems: all problems, in the order of the images.
        counts: counts of valid images, by split and label.
        num_images: number of images by split.
        duplicates: for every image that occurs several times, split and file of each
            occurrence. Images are compared by pixels.
        flagged: what reading the images lost, by split.
        input_size: ``(height, width)`` of the network's input in pixels.
        kept_by_crops: fraction of the visible training boxes that random crops keep, by label
            and class; empty without random crops.
        is_subset: whether ``data.max_images`` leaves out training images, and perhaps classes.
        settings: names of the settings of each label's sources, which a fix may name.
    """

    problems: tuple[Problem, ...]
    counts: Mapping[str, Mapping[str, LabelCounts]]
    num_images: Mapping[str, int]
    duplicates: tuple[tuple[tuple[str, str], ...], ...] = ()
    flagged: Mapping[str, ImageCounts] = field(default_factory=dict)
    input_size: tuple[int, int] = (0, 0)
    kept_by_crops: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    is_subset: bool = False
    settings: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def size_text(self) -> str:
        """Height and width of the network's input, such as ``48 x 64``."""
        return " x ".join(map(str, self.input_size))

    def invalid_indices(self, split: str) -> frozenset[int]:
        """Return the images of a split that have problems.

        Args:
            split: the split.

        Returns:
            Indices in the split.
        """
        return frozenset(problem.index for problem in self.problems if problem.split == split)

    def errors(self) -> tuple[DataError, ...]:
        """Return one error per kind of problem.

        Returns:
            Errors with three examples, the number of problems and the fix; empty without problems.
        """
        return kind_errors(self.problems)

    def raise_if_bad(self) -> None:
        """Raise an error if there are problems.

        Raises:
            DataError: there are problems; the message lists three of each kind.
        """
        if not self.problems:
            return
        groups = group_problems(self.problems)
        lines = [line for group in groups[:MAX_KINDS] for line in list_examples(group)]
        rest = sum(map(len, groups[MAX_KINDS:]))
        if rest:
            lines.append(f"  - and {rest} of other kinds")
        num_problems, num_images = len(self.problems), sum(self.num_images.values())
        fix = self.problems[0].fix if len(groups) == 1 else ""
        raise DataError(
            "\n".join([f"{num_problems} problem(s) in {num_images} images", *lines]),
            next_step=fix
            or "fix or remove these files and rows; `mtlsearch -v check RUN.yaml` lists all",
        )
