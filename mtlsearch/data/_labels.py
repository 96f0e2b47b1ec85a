"""Labels of a run: the union over its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtlsearch.data.checks import LabelCounts
from mtlsearch.errors import DataError
from mtlsearch.labels import LabelSpec
from mtlsearch.plugin import DatasetSource


def union_labels(sources: Sequence[DatasetSource]) -> dict[str, LabelSpec]:
    """Return the union of the labels of all sources.

    Args:
        sources: the sources.

    Returns:
        Specifications by label, in the order of the sources, without counts.

    Raises:
        DataError: two sources specify the same label differently.
    """
    union: dict[str, LabelSpec] = {}
    first_source: dict[str, str] = {}
    named: dict[str, dict[str, None]] = {}
    for number, source in enumerate(sources, start=1):
        source_name = f"source {number} ({source.name})"
        for name, spec in source.labels.items():
            plain = replace(spec, counts=None, named_classes=())
            if union.setdefault(name, plain) != plain:
                raise DataError(
                    f"label {name!r} differs between sources:\n"
                    f"  - {first_source[name]}: {_describe(union[name])}\n"
                    f"  - {source_name}: {_describe(plain)}",
                    next_step="give both sources the same classes, or rename one of the labels",
                )
            first_source.setdefault(name, source_name)
            named.setdefault(name, {}).update(dict.fromkeys(spec.named_classes))
    return {name: replace(spec, named_classes=(*named[name],)) for name, spec in union.items()}


def _describe(spec: LabelSpec) -> str:
    return f"{spec.describe()}, ignore_index {spec.ignore_index}"


def setting_names(sources: Sequence[DatasetSource]) -> dict[str, frozenset[str]]:
    """Return the settings of the sources of each label, nested ones too.

    Args:
        sources: the sources.

    Returns:
        Names of settings by label. A label of several sources has those that all of them have.
    """
    names: dict[str, frozenset[str]] = {}
    for source in sources:
        schema = source.Settings.model_json_schema()
        parts = [schema, *schema.get("$defs", {}).values()]
        names_of_source = frozenset(name for part in parts for name in part.get("properties", {}))
        for label in source.labels:
            names[label] = names.get(label, names_of_source) & names_of_source
    return names


def with_counts(
    labels: Mapping[str, LabelSpec], counts: Mapping[str, LabelCounts]
) -> dict[str, LabelSpec]:
    """Add what the training split contains to the labels.

    Args:
        labels: the labels by name.
        counts: counts of the training split by label.

    Returns:
        Labels with the number of occurrences of each class, numbers with mean and standard
        deviation. A label of another form does not change.
    """
    return {
        name: replace(
            spec,
            counts=tuple(counts[name].classes.values()) or None,
            mean=counts[name].mean,
            std=counts[name].std,
        )
        if name in counts
        else spec
        for name, spec in labels.items()
    }
