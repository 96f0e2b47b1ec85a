"""Problems of images, and their kinds: one message per kind, with examples and their number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mtlsearch.errors import DataError

MAX_EXAMPLES = 3
"""Number of problems of one kind that a message lists."""

MAX_KINDS = 12
"""Number of kinds of problems that a message lists."""

# Values that differ between problems of one kind. Names of labels and columns do not.
_QUOTED = re.compile(r"""(?<!label )(?<!column )('[^']*'|"[^"]*")""")
_NUMBER_OR_PATH = re.compile(r"(\S*[\d/\\.]\S*\s*)+")
_SUGGESTION = re.compile(r"; did you mean[^?]*\?")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one image.

    Attributes:
        split: split of the image.
        index: index of the image in the split.
        where: the file, and the row in it.
        what: what is wrong.
        fix: how to fix it, in the imperative; empty if that is clear.
    """

    split: str
    index: int
    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def kind(self) -> str:
        """The problem without the numbers, paths and values that differ between images."""
        text = _QUOTED.sub("?", _SUGGESTION.sub("", self.what))
        return _NUMBER_OR_PATH.sub("? ", text).strip()


def group_problems(problems: Sequence[Problem]) -> tuple[tuple[Problem, ...], ...]:
    """Group problems by their kind.

    Args:
        problems: the problems.

    Returns:
        The problems of each kind, in the order of the first one.
    """
    by_kind: dict[str, list[Problem]] = {}
    for problem in problems:
        by_kind.setdefault(problem.kind, []).append(problem)
    return tuple(tuple(group) for group in by_kind.values())


def kind_errors(problems: Sequence[Problem]) -> tuple[DataError, ...]:
    """Return one error per kind of problem.

    Args:
        problems: the problems.

    Returns:
        Errors with the first three problems of a kind, their number and the fix. More than 12
        kinds are counted in a last error.
    """
    groups = group_problems(problems)
    errors = [_kind_error(group) for group in groups[:MAX_KINDS]]
    rest = sum(map(len, groups[MAX_KINDS:]))
    if rest:
        errors.append(DataError(f"{rest} more problems of {len(groups) - MAX_KINDS} other kinds"))
    return tuple(errors)


def _kind_error(group: Sequence[Problem]) -> DataError:
    fixes = Counter(problem.fix for problem in group if problem.fix)
    fix = fixes.most_common(1)[0][0] if fixes else None
    if len(group) == 1:
        return DataError(str(group[0]), next_step=fix)
    return DataError(
        "\n".join([f"{len(group)} problems of one kind:", *list_examples(group)]), next_step=fix
    )


def list_examples(group: Sequence[Problem]) -> list[str]:
    """Return one line for each of the first three problems, and one with the number of others.

    Args:
        group: problems of one kind.

    Returns:
        Indented lines.
    """
    lines = [f"  - {problem}" for problem in group[:MAX_EXAMPLES]]
    rest = len(group) - MAX_EXAMPLES
    return [*lines, f"  - and {rest} more of this kind"] if rest > 0 else lines
