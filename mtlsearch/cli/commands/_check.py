"""``mtlsearch check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._console import Console
from mtlsearch.cli._context import open_run, pick_device
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._options import Overrides, RunFile
from mtlsearch.cli._picture import save_picture
from mtlsearch.cli._progress import ProgressView

if TYPE_CHECKING:
    from mtlsearch.data import CheckReport, DataModule, LabelCounts

SAMPLES, SEED = 8, 0
"""How many samples a contact sheet shows, and which."""

PLAIN_MEAN, PLAIN_STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
"""Nothing is normalised here: no network will see the images."""


def check(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="SHEET.png", help="Draw samples with their labels."),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Read all images and labels of a run file: what is wrong, and how often each class occurs.

    The run file itself is judged as far as that needs no training. Ends with exit code 1
    where something is wrong with the data.
    """
    from mtlsearch.data import check_label_coverage, data_warnings, open_data
    from mtlsearch.models import require_backbone
    from mtlsearch.runs import check_search

    shell = Shell.of(ctx)
    resolved = open_run(file, shell, overrides or ())
    for name in resolved.config.backbone.names:
        require_backbone(name, where=resolved.where("backbone", "name"))
    data = open_data(
        resolved.open_sources(),
        resolved.config.data,
        mean=PLAIN_MEAN,
        std=PLAIN_STD,
        seed=resolved.config.seed,
    )
    tasks = resolved.build_tasks(data.labels)
    check_search(resolved, tasks, pick_device("auto"))
    with ProgressView(shell.console) as progress:
        report = data.check(
            lambda done, total: progress.stage("reading images", done, total), reread=True
        )
    show_counts(report, shell.console)
    for problem in report.problems:
        shell.console.error(str(problem))
    if out is not None:
        _draw(data, report, out, shell.console)
    if report.problems:
        raise typer.Exit(1)
    check_label_coverage(report, resolved.config.labels)
    batch = resolved.config.train.batch_size
    for doubt in data_warnings(report, data.labels, resolved.config.labels, batch_size=batch):
        shell.console.warn(doubt)
    shell.console.say("nothing is wrong, as far as it shows without training")


def _draw(data: DataModule, report: CheckReport, out: Path, console: Console) -> None:
    from mtlsearch.report import contact_sheet

    bad = report.bad("train")
    if len(bad) == data.size("train"):
        console.warn(f"{out} is not drawn: no training image is sound")
        return
    save_picture(contact_sheet(data, "train", SAMPLES, SEED, without=bad), out)
    console.say(f"drawn: {out}")


def show_counts(report: CheckReport, console: Console) -> None:
    """A line a split, label and class: in how many images, objects or pixels it occurs."""
    rows = [
        (split, label, name, number)
        for split, labels in report.counts.items()
        for label, counts in labels.items()
        for name, number in _lines(counts, report.images[split])
    ]
    console.table(("split", "label", "class", "count"), rows)


def _lines(counts: LabelCounts, images: int) -> list[tuple[str, str]]:
    lines = [("(images)", f"{counts.present} of {images}")]
    lines += [(name, str(number)) for name, number in counts.classes.items()]
    if counts.extent is not None:
        low, high = counts.extent
        lines.append(("(range)", f"{low:.4g} to {high:.4g}"))
    return lines
