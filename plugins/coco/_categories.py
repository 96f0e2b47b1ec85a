"""Classes of a data set from the categories of its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtlsearch.plugin import DataError, require_unique

from ._index import Category, Index


@dataclass(frozen=True, slots=True)
class Classes:
    """Classes of all splits.

    Attributes:
        names: class names, in the order of their category ids.
        index_by_category: class index by category id.
        warnings: categories that are ignored.
    """

    names: tuple[str, ...]
    index_by_category: dict[int | str, int]
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, indices: Sequence[Index]) -> Classes:
        """Return the classes of the files of all splits.

        A category that no annotation uses is ignored if it is the root of others, that is their
        ``supercategory``, and has the name of another category. Some exports contain such a root.

        Args:
            indices: the files, at least one.

        Returns:
            The classes.

        Raises:
            DataError: two files have different categories, or two categories have the same name.
        """
        first = indices[0]
        for index in indices[1:]:
            _require_equal(first, index)
        used = {
            annotation.category_id
            for index in indices
            for annotations in index.annotations.values()
            for annotation in annotations
        }
        roots = {category.supercategory for category in first.categories}
        names = [category.name for category in first.categories]
        ignored = [
            category
            for category in first.categories
            if category.id not in used
            and category.name in roots
            and names.count(category.name) > 1
            and category.supercategory != category.name
        ]
        rows = [row for row, item in enumerate(first.categories) if item not in ignored]
        require_unique(
            "category name",
            [names[row] for row in rows],
            lambda index: f"categories[{rows[index]}], id {first.categories[rows[index]].id!r}",
            where=str(first.path),
            next_step="rename one of the categories, or merge them: give their annotations one "
            "`category_id` and remove the other entry",
        )
        kept = sorted((first.categories[row] for row in rows), key=_by_id)
        return cls(
            tuple(category.name for category in kept),
            {category.id: index for index, category in enumerate(kept)},
            tuple(
                f"category {category.id!r} ({category.name!r}) in {first.path} is ignored: it is "
                "the root of other categories, one of them has its name, and no annotation uses it"
                for category in ignored
            ),
        )


def _by_id(category: Category) -> tuple[bool, int | str]:
    return isinstance(category.id, str), category.id


def _require_equal(first: Index, second: Index) -> None:
    pairs = [{(item.id, item.name) for item in index.categories} for index in (first, second)]
    if pairs[0] == pairs[1]:
        return
    differences = [
        f"only in {index.path.name}: "
        + ", ".join(f"{key!r} {name!r}" for key, name in only[:5])
        + (f" and {len(only) - 5} more" if len(only) > 5 else "")
        for index, only in (
            (first, sorted(pairs[0] - pairs[1], key=str)),
            (second, sorted(pairs[1] - pairs[0], key=str)),
        )
        if only
    ]
    raise DataError(
        f"the categories (id and name) differ from those of {first.path.name}: "
        f"{', '.join(differences)}",
        where=str(second.path),
        next_step="list the same categories with the same ids in every file",
    )
