"""The labels of a run: the union over its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtlsearch.errors import DataError
from mtlsearch.labels import LabelSpec
from mtlsearch.plugin import DatasetSource


def union_labels(sources: Sequence[DatasetSource]) -> dict[str, LabelSpec]:
    """Every source's labels by name, in the sources' order, without counts.

    Raises:
        DataError: two sources mean different things by one name.
    """
    union: dict[str, LabelSpec] = {}
    owner: dict[str, str] = {}
    for number, source in enumerate(sources, start=1):
        said = f"source {number} ({source.name})"
        for name, spec in source.labels.items():
            bare = replace(spec, counts=None)
            if union.setdefault(name, bare) != bare:
                raise DataError(
                    f"label {name!r} differs between sources:\n"
                    f"  - {owner[name]}: {_differing(union[name])}\n"
                    f"  - {said}: {_differing(bare)}",
                    next_step="give both sources the same classes, or one label another name",
                )
            owner.setdefault(name, said)
    return union


def _differing(spec: LabelSpec) -> str:
    return f"{spec.describe()}; ignore_index {spec.ignore_index}"


def with_counts(
    labels: Mapping[str, LabelSpec], classes: Mapping[str, Mapping[str, int]]
) -> dict[str, LabelSpec]:
    """The labels with how often each of their classes occurs.

    Args:
        labels: the labels by name.
        classes: class name to count, by label; nothing is said of a label with no classes.
    """
    return {
        name: replace(spec, counts=tuple(classes[name].values())) if classes.get(name) else spec
        for name, spec in labels.items()
    }
