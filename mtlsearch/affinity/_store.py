"""Task affinity on disk, as JSON and as a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.affinity._recommendation import recommend
from mtlsearch.errors import RunError
from mtlsearch.files import Outputs, load_json

JSON_NAME, CSV_NAME = "affinity.json", "affinity.csv"

AFFINITY_FILES = (CSV_NAME, JSON_NAME)
"""Names of the files that :func:`write_affinity` writes."""

COLUMNS = ("measure", "unit", "modules", "from", "to", "value", "error", "steps")


def write_affinity(affinity: Affinity, folder: Path) -> None:
    """Write ``affinity.csv`` and then ``affinity.json``, each atomically.

    The table has one row per measure, unit and ordered pair of tasks; the unit is empty for
    measures of the whole backbone. The JSON file also contains the recommendation.

    Args:
        affinity: the task affinity.
        folder: the folder to write to; it is created.

    Raises:
        ConfigError: the folder contains a file of that name that was not written here.
    """
    outputs = Outputs("affinity")
    with (
        outputs.write(folder / CSV_NAME) as path,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_rows(affinity))
    value = {**affinity.to_json(), "recommendation": recommend(affinity).to_json()}
    with outputs.write(folder / JSON_NAME) as path:
        path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_affinity(path: Path) -> Affinity:
    """Read a task affinity that :func:`write_affinity` wrote.

    Args:
        path: the folder, or the JSON file in it.

    Returns:
        The affinity.

    Raises:
        RunError: the file does not exist or cannot be read.
    """
    file = path / JSON_NAME if path.is_dir() else path
    try:
        return Affinity.from_json(load_json(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise RunError(
            "the task affinity does not exist"
            if isinstance(error, FileNotFoundError)
            else f"cannot read the task affinity: {error.strerror}",
            where=str(file),
            next_step="run `mtlsearch affinity RUN.yaml` to measure it",
        ) from error
    except (RunError, ValueError) as error:
        reason = error.what if isinstance(error, RunError) else f"not JSON ({error})"
        raise RunError(
            f"cannot read the task affinity: {reason}",
            where=str(file),
            next_step="run `mtlsearch affinity RUN.yaml` to measure it again",
        ) from error


def _rows(affinity: Affinity) -> Iterator[tuple[Any, ...]]:
    for measure in ("gradients", "representations", "unit_lookahead"):
        for unit, name in enumerate(affinity.units):
            matrix = getattr(affinity, measure)[unit]
            for i, j in _ordered_pairs(affinity):
                steps = "" if measure == "representations" else affinity.steps[i, j]
                yield measure, unit, name, *_names(affinity, i, j), _cell(matrix[i, j]), "", steps
    for i, j in _ordered_pairs(affinity):
        value, error = affinity.lookahead[i, j], affinity.lookahead_error[i, j]
        steps = affinity.steps[i, j]
        yield "lookahead", "", "", *_names(affinity, i, j), _cell(value), _cell(error), steps


def _ordered_pairs(affinity: Affinity) -> Iterator[tuple[int, int]]:
    indices = range(len(affinity.tasks))
    return ((i, j) for i in indices for j in indices)


def _names(affinity: Affinity, i: int, j: int) -> tuple[str, str]:
    return affinity.tasks[i], affinity.tasks[j]


def _cell(value: float) -> str:
    return "" if value != value else f"{value:.6g}"
