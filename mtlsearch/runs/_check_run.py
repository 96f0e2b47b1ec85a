"""All preflight checks of a run file and its data, without a search."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtlsearch.errors import BackboneError, MtlsearchError
from mtlsearch.registry import ResolvedRun
from mtlsearch.runs._preflight import PreflightContext, Stage, run_checks
from mtlsearch.runs._session import load_cut_backbone
from mtlsearch.search import SearchProgress

if TYPE_CHECKING:
    import torch

    from mtlsearch.data import DataModule

PLAIN_MEAN, PLAIN_STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
"""No normalization: no network sees the images."""


def check_run(
    resolved: ResolvedRun,
    *,
    device: torch.device,
    progress: SearchProgress,
    on_error: Callable[[MtlsearchError], None],
    on_warning: Callable[[str], None],
) -> PreflightContext:
    """Run all preflight checks and continue after errors.

    Every image is decoded, even if the cache has it. If nothing else is wrong, the backbones are
    created with the weights in files that the run file names, but without those that timm would
    download, and a network is exported on trial. Not checked are the
    limits, whether the affinity has the tasks and units of the run, and whether a database or a
    server of weights responds.

    Args:
        resolved: the run file with its plugins.
        device: device on which a search would train.
        progress: callbacks for reading images.
        on_error: called with every error.
        on_warning: called with every warning.

    Returns:
        The data and the report about it, if the data can be opened.
    """
    context = PreflightContext(resolved, device, lists_all_kinds=True)
    errors: list[MtlsearchError] = []

    def report(error: MtlsearchError) -> None:
        errors.append(error)
        on_error(error)

    run_checks(Stage.RUN_FILE, context, on_warning=on_warning, on_error=report)
    try:
        data = _open_data(resolved)
        context.tasks, context.data = resolved.build_tasks(data.labels), data
    except MtlsearchError as error:
        on_error(error)
        return context
    run_checks(Stage.LABELS, context, on_warning=on_warning, on_error=report)
    context.report = data.check(
        lambda done, total: progress.stage("reading images", done, total), reread=True
    )
    run_checks(Stage.IMAGES, context, on_warning=on_warning, on_error=report)
    if not errors:
        _check_network(context, on_error, on_warning)
    return context


def _check_network(
    context: PreflightContext,
    on_error: Callable[[MtlsearchError], None],
    on_warning: Callable[[str], None],
) -> None:
    config = context.resolved.config
    backbone = config.backbone.model_copy(update={"pretrained": False})  # nothing is downloaded
    local = config.model_copy(update={"backbone": backbone})
    try:
        context.cut_backbones = {
            name: load_cut_backbone(local, name) for name in config.backbone.names
        }
    except BackboneError as error:
        on_error(error.named_in(context.resolved.where("backbone")))
        return
    run_checks(Stage.NETWORK, context, on_warning=on_warning, on_error=on_error)


def _open_data(resolved: ResolvedRun) -> DataModule:
    from mtlsearch.data import open_data

    return open_data(
        resolved.open_sources(),
        resolved.config.data,
        mean=PLAIN_MEAN,
        std=PLAIN_STD,
        seed=resolved.config.seed,
    )
