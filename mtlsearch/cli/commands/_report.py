"""``mtlsearch report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtlsearch.cli._context import pick_device, read_run, reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import Device, RunDataRoot, RunFolder
from mtlsearch.cli._progress import ProgressView

if TYPE_CHECKING:
    from mtlsearch.report.page import NetworkResults, RunContents


def report(
    ctx: typer.Context,
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.html", help="File to write. Default: RUN/report.html."),
    ] = None,
    images: Annotated[
        bool,
        typer.Option(
            "--images/--no-images",
            help="Open data and weights for images with predictions and confusion matrices.",
        ),
    ] = True,
    data_root: RunDataRoot = None,
    device: Device = "auto",
) -> None:
    """Write one HTML file with everything that a run found.

    The file opens from disk, without a network: verdict, leaderboard, Pareto front, sharing plans,
    learning curves, what mattered, results per class, images with predictions, failures, and how
    to reproduce the run.
    """
    options = GlobalOptions.of(ctx)
    config = read_run(run, options).config

    from mtlsearch.files import Outputs
    from mtlsearch.report.page import NetworkResults, read_contents, render_page

    path = out or run / "report.html"
    outputs = Outputs("report")
    outputs.check({path: None})
    contents = read_contents(run, config)
    networks = NetworkResults()
    if images and contents.best is not None:
        networks = _measure(run, contents, options, data_root, device)
    with outputs.write(path) as temporary:
        temporary.write_text(render_page(contents, networks), encoding="utf-8")
    for note in networks.notes:
        options.console.warning(note)
    options.console.print(str(path))


def _measure(
    run: Path,
    contents: RunContents,
    options: GlobalOptions,
    data_root: Path | None,
    device: str,
) -> NetworkResults:
    """Evaluate the compared networks; where data are missing, return the reason as a note."""
    from mtlsearch.errors import BackboneError, ConfigError, DataError, PluginError
    from mtlsearch.report.page import NetworkResults, compared_networks, measure_networks
    from mtlsearch.runs import reopen_session
    from mtlsearch.study import RunDirectory

    torch_device = pick_device(device)
    with ProgressView(options.console) as progress:
        try:
            session = reopen_session(
                reopen_run(run, options, data_root),
                RunDirectory(run),
                run,
                device=torch_device,
                progress=progress,
            )
            return measure_networks(session, compared_networks(contents), progress.stage)
        except (BackboneError, ConfigError, DataError, PluginError) as error:
            place = f" ({error.where})" if error.where else ""
            return NetworkResults(
                notes=(f"No images and no confusion matrices: {error.what}{place}.",)
            )
