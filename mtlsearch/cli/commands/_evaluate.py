"""``mtlsearch evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mtlsearch.cli._context import open_run, pick_device, reopen_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import Device, RunDataRoot, merge_overrides
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._trial import require_one_network

if TYPE_CHECKING:
    from mtlsearch.evaluation import Evaluation, EvaluationJob
    from mtlsearch.registry import ResolvedRun


def evaluate(
    ctx: typer.Context,
    network: Annotated[
        Path, typer.Argument(metavar="RUN|BUNDLE", help="Run directory or exported bundle.")
    ],
    split: Annotated[
        Literal["val", "test"], typer.Option(metavar="SPLIT", help="Split: test or val.")
    ] = "test",
    trial: Annotated[
        str | None,
        typer.Option(
            "--trial",
            metavar="best|N",
            help="Trial. Default: best, the recommended one.",
        ),
    ] = None,
    retrained: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Evaluate a network of `mtlsearch train-longer`."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="RUN.yaml", help="Run file with the data of a bundle."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for JSON, CSV, tables and pictures."),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Resamples of each interval; 0: no intervals."),
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the resamples.")] = 0,
    data_root: RunDataRoot = None,
    device: Device = "auto",
) -> None:
    """Evaluate a trained network on images of the test split.

    Prints every metric at the size of the network's input and at the size of the image, with 95 %
    confidence intervals by bootstrap over images, results per class and confusion matrices. No
    other command computes anything on a test split.
    """
    from mtlsearch.bundle import is_bundle
    from mtlsearch.report import evaluation_text

    options = GlobalOptions.of(ctx)
    with ProgressView(options.console) as progress:
        if is_bundle(network):
            _refuse("--trial", trial, "a bundle contains one network")
            _refuse("--retrained", retrained, "a bundle contains one network")
            job = _bundle_job(network, data, data_root, split, resamples, seed, options)
        else:
            _refuse("--data", data, "a run has its own data")
            job = _trial_job(
                reopen_run(network, options, data_root),
                network,
                trial,
                retrained,
                device,
                split,
                resamples,
                seed,
                options,
                progress,
            )
        evaluation = _evaluate(job, out, progress)
    options.console.print(evaluation_text(evaluation).rstrip("\n"))
    if out is None:
        options.console.info("next: --out DIR writes JSON, CSV and pictures of the worst images")
    else:
        options.console.info(f"written: {out}")


def _evaluate(job: EvaluationJob, out: Path | None, progress: ProgressView) -> Evaluation:
    """Evaluate, and write the files if there is a folder for them."""
    from mtlsearch.evaluation import evaluate_split
    from mtlsearch.files import Outputs
    from mtlsearch.report import evaluation_files, write_evaluation

    outputs = Outputs("evaluate")
    if out is not None:
        files = evaluation_files(job, out)
        outputs.check(dict.fromkeys(files))
        for folder in dict.fromkeys(file.parent for file in files):
            outputs.check_folder(folder)
    evaluation = evaluate_split(job, progress.stage)
    if out is not None:
        write_evaluation(
            job,
            evaluation,
            out,
            outputs,
            lambda done, total: progress.stage("drawing the worst images", done, total),
        )
    return evaluation


def _trial_job(
    resolved: ResolvedRun,
    run: Path,
    trial: str | None,
    retrained: str | None,
    device: str,
    split: str,
    resamples: int,
    seed: int,
    options: GlobalOptions,
    progress: ProgressView,
) -> EvaluationJob:
    number = require_one_network(trial, retrained)

    from mtlsearch.evaluation import trial_job
    from mtlsearch.runs import reopen_session, select_network

    notify = options.console.info
    record, folder = select_network(run, resolved.config, number, retrained, notify)
    session = reopen_session(resolved, folder, run, device=pick_device(device), progress=progress)
    return trial_job(session, record, split=split, resamples=resamples, seed=seed)


def _bundle_job(
    path: Path,
    data: Path | None,
    data_root: Path | None,
    split: str,
    resamples: int,
    seed: int,
    options: GlobalOptions,
) -> EvaluationJob:
    from mtlsearch.bundle import open_bundle
    from mtlsearch.config import Override
    from mtlsearch.errors import ConfigError
    from mtlsearch.evaluation import bundle_job

    if data is None:
        raise ConfigError(
            "a bundle contains no data, so its evaluation needs a run file",
            where=str(path),
            next_step="add --data RUN.yaml, the run file of the search that the bundle is from",
        )
    bundle = open_bundle(path)
    preprocessing = bundle.manifest.preprocessing
    values = {
        "image_size": list(preprocessing.size),
        "channels": preprocessing.channels,
        "pixel_range": preprocessing.pixel_range,
    }
    overrides = [
        Override(("data", key), value, f"{key} of the bundle") for key, value in values.items()
    ]
    resolved = open_run(data, options, [*overrides, *merge_overrides(None, data_root=data_root)])
    return bundle_job(bundle, resolved, split=split, resamples=resamples, seed=seed)


def _refuse(option: str, value: object, reason: str) -> None:
    """Refuse an option that does not fit.

    Raises:
        ConfigError: the option is set.
    """
    if value is None:
        return
    from mtlsearch.errors import ConfigError

    raise ConfigError(
        f"`{option}` does not apply: {reason}", where=option, next_step=f"remove {option}"
    )
