"""Task affinity: matrices that describe how much tasks help each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from mtlsearch.errors import RunError

Array = NDArray[np.float64]


def _to_nested_lists(values: Array) -> Any:
    """Return an array as nested lists, with NaN as None."""
    items = values.astype(object)
    items[np.isnan(values)] = None
    return items.tolist()


def _to_float_array(values: Any) -> Array:
    return np.array(values, dtype=float)


def _to_int_array(values: Any) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


FloatMatrices = Annotated[Array, PlainValidator(_to_float_array), PlainSerializer(_to_nested_lists)]
IntMatrix = Annotated[
    NDArray[np.int64], PlainValidator(_to_int_array), PlainSerializer(np.ndarray.tolist)
]


@dataclass(frozen=True, slots=True, eq=False)
class Affinity:
    """Affinity of T tasks in U units, from two short trainings; NaN where not measured.

    Attributes:
        tasks: task names, sorted.
        units: names of the units, in depth order.
        gradients: ``[U, T, T]``, cosine of the gradients of two tasks in a shared unit, averaged
            over steps; from -1 (opposed) over 0 (unrelated) to 1 (equal).
        lookahead: ``[T, T]`` for the whole backbone; ``[i, j]`` is the relative decrease of the
            loss of task ``j`` after a step for task ``i`` alone, averaged over steps (Fifty et
            al. 2021); negative if the loss increases.
        lookahead_error: ``[T, T]``, standard error of ``lookahead`` over steps.
        unit_lookahead: ``[U, T, T]``, first-order contribution of each unit to ``lookahead``.
        representations: ``[U, T, T]``, similarity of the outputs of two single-task networks
            after each unit: linear CKA (Kornblith et al. 2019), 1 if equal up to rotation and
            scale, around 0 if unrelated.
        steps: ``[T, T]``, number of compared steps in which both tasks had labels.
        images: number of images on which representations were compared.
        epochs: number of epochs of each training.
    """

    tasks: tuple[str, ...]
    units: tuple[str, ...]
    gradients: FloatMatrices
    lookahead: FloatMatrices
    lookahead_error: FloatMatrices
    unit_lookahead: FloatMatrices
    representations: FloatMatrices
    steps: IntMatrix
    images: int
    epochs: int

    def __post_init__(self) -> None:
        per_pair = (len(self.tasks), len(self.tasks))
        per_unit = (len(self.units), *per_pair)
        shapes = {"lookahead": per_pair, "lookahead_error": per_pair, "steps": per_pair}
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, np.ndarray):
                continue
            expected = shapes.get(field.name, per_unit)
            if value.shape != expected:
                raise RunError(
                    f"`{field.name}` must have the shape {list(expected)} for "
                    f"{len(self.tasks)} tasks and {len(self.units)} units, "
                    f"got {list(value.shape)}"
                )
            frozen = value.copy()
            frozen.setflags(write=False)
            object.__setattr__(self, field.name, frozen)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Indices of every pair of tasks."""
        count = len(self.tasks)
        return tuple((i, j) for i in range(count) for j in range(i + 1, count))

    def to_json(self) -> dict[str, Any]:
        """Return a value for JSON, with NaN as null.

        Returns:
            One entry per attribute, which :meth:`from_json` reads.
        """
        value: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Affinity:
        """Return the affinity of a value that :meth:`to_json` returned.

        Args:
            value: the parsed JSON; further entries are ignored.

        Returns:
            The affinity.

        Raises:
            RunError: the value has another form.
        """
        try:
            return _ADAPTER.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise RunError(f"not a task affinity (`{key}`: {first['msg']})") from error
        except TypeError as error:  # an array with other elements than numbers
            raise RunError(f"not a task affinity ({error})") from error


_ADAPTER = TypeAdapter(Affinity)
