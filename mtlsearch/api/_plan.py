"""Sharing plan of a trial, drawn in a notebook."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mtlsearch.plan import SharingPlan


class Plan:
    """Which tasks share which units of the backbone; a notebook draws it.

    ``str(plan)`` is the text of the leaderboard, such as ``boxes+scene | shapes @1``.

    Args:
        sharing: the plan as a value.
        title: title of the drawing.

    Attributes:
        sharing: the plan as a value, a :class:`mtlsearch.plugin.SharingPlan`.
        title: title of the drawing.
    """

    def __init__(self, sharing: SharingPlan, title: str = "") -> None:
        self.sharing = sharing
        self.title = title or str(sharing)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""
        return self.sharing.tasks

    @property
    def copies(self) -> tuple[int, ...]:
        """Number of copies of each unit, in depth order."""
        return self.sharing.copies

    def groups(self, unit: int) -> tuple[tuple[str, ...], ...]:
        """Return the groups of tasks that share a unit.

        Args:
            unit: index of the unit, from 0.

        Returns:
            One tuple of task names per copy of the unit.
        """
        return self.sharing.groups(unit)

    def figure(self) -> Figure:
        """Draw the plan: units from left to right, one color per task.

        Returns:
            A matplotlib figure, which a notebook shows and ``savefig`` writes.
        """
        from mtlsearch.report import sharing_figure

        return sharing_figure({self.title: self.sharing})

    def __str__(self) -> str:
        return str(self.sharing)

    def __repr__(self) -> str:
        return f"Plan({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self.sharing == other.sharing if isinstance(other, Plan) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.sharing)

    def _repr_svg_(self) -> str:
        stream = io.StringIO()
        self.figure().savefig(stream, format="svg", metadata={"Date": None})
        return stream.getvalue()
