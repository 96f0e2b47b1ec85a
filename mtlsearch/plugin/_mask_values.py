"""Classes of the numbers in a mask file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlsearch.errors import DataError, did_you_mean


@dataclass(frozen=True, slots=True)
class MaskValues:
    """Class index of the pixel values of a mask file, such as 255 for class 1.

    Attributes:
        index_by_value: class index, or the void value, by pixel value.
        ignore_index: void value of the label.
    """

    index_by_value: Mapping[int, int]
    ignore_index: int = 255

    @classmethod
    def of(
        cls,
        values: Mapping[int, str | None],
        classes: Sequence[str],
        *,
        ignore_index: int = 255,
        where: str,
    ) -> MaskValues:
        """Return the mapping of a setting.

        Args:
            values: class name by pixel value; None means void.
            classes: class names by index.
            ignore_index: void value of the label.
            where: the setting, for messages.

        Returns:
            The mapping.

        Raises:
            DataError: a class is unknown.
        """
        index_by_name = {name: index for index, name in enumerate(classes)}
        for value, name in values.items():
            if name is not None and name not in index_by_name:
                raise DataError(
                    f"`values` maps {value} to unknown class {name!r}{did_you_mean(name, classes)}",
                    where=where,
                    allowed=tuple(classes),
                )
        indices = {
            value: ignore_index if name is None else index_by_name[name]
            for value, name in values.items()
        }
        return cls(indices, ignore_index)

    def apply(self, plane: NDArray[np.generic], where: str) -> NDArray[Any]:
        """Replace pixel values by class indices.

        A value that is not mapped is a class index or void, as without a mapping.

        Args:
            plane: ``[H, W]`` as read.
            where: the mask, for messages.

        Returns:
            Integers ``[H, W]``: class indices and the void value; without a mapping, the plane.

        Raises:
            DataError: a value that is not mapped is the index of a class to which other values
                are mapped.
        """
        if not self.index_by_value:
            return plane
        mapped = set(self.index_by_value.values()) - {self.ignore_index}
        ambiguous = mapped - set(self.index_by_value)
        for index in sorted(ambiguous):
            if bool((plane == index).any()):
                raise DataError(
                    f"the mask contains {index}, which `values` does not map",
                    where=where,
                    allowed=[str(value) for value in self.index_by_value],
                    next_step=f"add {index} to `values`, with its class or null for void",
                )
        result = plane.astype(np.int64)
        for value, index in self.index_by_value.items():
            result[plane == value] = index
        return result
