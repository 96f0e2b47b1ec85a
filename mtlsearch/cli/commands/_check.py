"""``mtlsearch check``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import open_run, pick_device
from mtlsearch.cli._errors import exit_code, show_error
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import (
    BatchSize,
    DataRoot,
    Epochs,
    Overrides,
    RunFile,
    Seed,
    merge_overrides,
)
from mtlsearch.cli._picture import check_picture, save_picture
from mtlsearch.cli._progress import ProgressView
from mtlsearch.errors import MtlsearchError

if TYPE_CHECKING:
    from mtlsearch.data import CheckReport, DataModule, LabelCounts
    from mtlsearch.files import Outputs
    from mtlsearch.labels import LabelSpec

SAMPLES, SEED = 8, 0
"""Number of samples on a contact sheet, and the seed that selects them."""

UNITS = {"category": "images", "categories": "images", "boxes": "boxes", "mask": "pixels"}
"""What is counted, by form of label."""


def check(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="SHEET.png", help="Draw training samples with their labels."),
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    data_root: DataRoot = None,
    overrides: Overrides = None,
) -> None:
    """Check a run file and its data, and count images and classes.

    Runs all checks of a search that need no training. Reads every image and label. Reports each
    kind of problem with three examples; with -v, every problem. The exit code is 0 without errors,
    2 if the first error is about the run file or an option, and 1 if it is about data.
    """
    from mtlsearch.files import Outputs
    from mtlsearch.runs import check_run, describe_threads

    options = GlobalOptions.of(ctx)
    console = options.console
    values = merge_overrides(
        overrides, epochs=epochs, batch_size=batch_size, seed=seed, data_root=data_root
    )
    resolved = open_run(file, options, values)
    outputs = Outputs("check")
    if out is not None:
        check_picture(out, outputs, resolved.config)
    errors: list[MtlsearchError] = []
    warnings: list[str] = []
    try:
        device = pick_device("auto")
        with ProgressView(console) as progress:
            checked = check_run(
                resolved,
                device=device,
                progress=progress,
                on_error=errors.append,
                on_warning=warnings.append,
            )
    finally:
        for error in errors:
            show_error(error, options)
    if checked.data is not None and checked.report is not None:
        for problem in checked.report.problems:
            console.debug(str(problem))
        show_counts(checked.report, checked.data.labels, console)
        for line in checked.data.held_out:
            console.info(line)
        if out is not None:
            _draw(checked.data, checked.report, out, outputs, console)
    for warning in warnings:
        console.warning(warning)
    if device.type == "cpu":
        console.info(f"A CPU trains with {describe_threads()}.")
    if errors:
        raise typer.Exit(exit_code(errors[0]))
    noun = "warning" if len(warnings) == 1 else "warnings"
    console.info(f"No errors, {len(warnings)} {noun}." if warnings else "No problems found.")


def _draw(
    data: DataModule, report: CheckReport, out: Path, outputs: Outputs, console: Console
) -> None:
    from mtlsearch.report import contact_sheet

    invalid = report.invalid_indices("train")
    if len(invalid) == data.size("train"):
        console.warning(f"{out} is not drawn: all training images have problems")
        return
    save_picture(contact_sheet(data, "train", SAMPLES, SEED, without=invalid), out, outputs)
    console.info(f"written: {out}")


def show_counts(report: CheckReport, labels: Mapping[str, LabelSpec], console: Console) -> None:
    """Print per split, label and class its number of images, boxes or pixels.

    A split of which no image is valid has no rows; without rows, nothing is printed.

    Args:
        report: result of reading the data.
        labels: specification of every label.
        console: prints the table.
    """
    rows = [
        (split, label, *line)
        for split, counts_by_label in report.counts.items()
        if len(report.invalid_indices(split)) < report.num_images[split]
        for label, counts in counts_by_label.items()
        for line in _lines(counts, report.num_images[split], UNITS.get(labels[label].form, ""))
    ]
    if rows:
        console.table(("split", "label", "class", "count", f"at {report.size_text}"), rows)


def _lines(counts: LabelCounts, images: int, unit: str) -> list[tuple[str, str, str]]:
    """Return name, count and count in the size of the network's input of each row of a label.

    The counts of classes have a unit, such as ``pixels``.
    """
    lines = [("(images)", f"{counts.present} of {images}", "")]
    lines += [
        (name, f"{number} {unit}", f"{counts.visible[name]} {unit}")
        for name, number in counts.classes.items()
    ]
    if crowd := sum(counts.crowd.values()):
        lines.append(("(crowd)", f"{crowd} {unit}", ""))
    if counts.num_void:
        lines.append(("(void)", f"{counts.num_void} {unit}", ""))
    if counts.extent is not None:
        low, high = counts.extent
        lines.append(("(range)", f"{low:.4g} to {high:.4g}", ""))
    if counts.mean is not None and counts.std is not None:
        lines.append(("(mean ± std)", f"{counts.mean:.4g} ± {counts.std:.4g}", ""))
    return lines
