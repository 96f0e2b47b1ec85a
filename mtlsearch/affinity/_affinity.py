"""How tasks get on, unit by unit, as matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlsearch.errors import RunError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Affinity:
    """What a short training told of T tasks in U units. NaN where nothing could be measured.

    Attributes:
        tasks: the task names, sorted.
        units: the names of the units, in depth order.
        gradients: ``[U, T, T]`` cosine of two tasks' gradients of a shared unit, in the mean
            over steps: 1 agree, 0 have nothing to do with each other, -1 are opposed.
        lookahead: ``[T, T]`` of the whole backbone: ``[i, j]`` is by what part the loss of
            task ``j`` falls when a step is taken for task ``i`` alone (Fifty et al. 2021);
            below 0 it rises.
        lookahead_error: ``[T, T]`` standard error of that mean over steps.
        unit_lookahead: ``[U, T, T]`` each unit's part in it, to first order.
        representations: ``[U, T, T]`` how alike single-task networks see images behind each
            unit: linear CKA (Kornblith et al. 2019), 1 where alike up to rotation and scale,
            around 0 where they have nothing in common.
        steps: ``[T, T]`` in how many of the steps looked at both tasks had labels.
        images: how many images representations were compared on.
        epochs: how long both networks were trained.
    """

    tasks: tuple[str, ...]
    units: tuple[str, ...]
    gradients: Array
    lookahead: Array
    lookahead_error: Array
    unit_lookahead: Array
    representations: Array
    steps: NDArray[np.int64]
    images: int
    epochs: int

    def __post_init__(self) -> None:
        pair = (len(self.tasks), len(self.tasks))
        each = (len(self.units), *pair)
        shapes = {"lookahead": pair, "lookahead_error": pair, "steps": pair}
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, np.ndarray):
                continue
            if value.shape != shapes.get(field.name, each):
                raise RunError(
                    f"{field.name} has the shape {list(value.shape)}, "
                    f"{len(self.tasks)} tasks and {len(self.units)} units take "
                    f"{list(shapes.get(field.name, each))}"
                )
            frozen = value.copy()
            frozen.setflags(write=False)
            object.__setattr__(self, field.name, frozen)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Every two tasks, by their places."""
        count = len(self.tasks)
        return tuple((i, j) for i in range(count) for j in range(i + 1, count))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form, NaN as null; :meth:`from_json` reads it back."""
        value = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _listed(at) for name, at in value.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Affinity:
        """The affinity that :meth:`to_json` wrote.

        Raises:
            RunError: the value is not of that form.
        """
        floats = (field.name for field in fields(cls) if field.type == "Array")
        try:
            return cls(
                tasks=tuple(str(task) for task in value["tasks"]),
                units=tuple(str(unit) for unit in value["units"]),
                steps=np.array(value["steps"], dtype=np.int64),
                images=int(value["images"]),
                epochs=int(value["epochs"]),
                **{name: np.array(value[name], dtype=float) for name in floats},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"no task affinity ({type(error).__name__}: {error})") from error


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _listed(value.tolist())
    if isinstance(value, list | tuple):
        return [_listed(at) for at in value]
    return None if isinstance(value, float) and value != value else value
