"""Export of a trained network as a bundle whose formats are all verified."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlsearch.bundle import (
    CARD,
    GRAPH,
    GRAPH_WEIGHTS,
    MANIFEST,
    PROGRAM,
    WEB,
    WEIGHTS,
    FileEntry,
    Manifest,
    Preprocessing,
    digest_of,
    open_bundle,
    open_graph,
    seal,
)
from mtlsearch.errors import ExportError
from mtlsearch.export._card import write_card
from mtlsearch.export._compare import (
    BATCH_SIZES,
    TOLERANCE,
    Arrays,
    Runner,
    check_format,
    module_runner,
    sensitivity,
)
from mtlsearch.export._runner import write_runner
from mtlsearch.export._staging import require_replaceable, staged
from mtlsearch.export._weights import reload_weights, save_weights
from mtlsearch.export.decoding import add_decoding, check_decoding
from mtlsearch.export.web import copy_runtime, require_web, write_page
from mtlsearch.images import PixelFormat
from mtlsearch.models import MultiTaskNetwork, count_parameters
from mtlsearch.models.programs import (
    INPUT,
    ExportedNetwork,
    make_program,
    save_graph,
    save_program,
)
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Task

Progress = Callable[[str], None]
Check = dict[str, dict[str, float]]
Converter = Callable[[Path, Progress], Mapping[str, Any]]
"""Replaces a verified graph by one of lower precision; returns values for ``bundle.json``."""


def export_bundle(
    network: MultiTaskNetwork,
    tasks: Mapping[str, Task],
    out: Path,
    *,
    input_size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    plan: SharingPlan,
    candidate: Candidate,
    backbone: str,
    metrics: Mapping[str, Mapping[str, float]],
    images: Tensor,
    extra: Mapping[str, Any] | None = None,
    pixel_format: PixelFormat | None = None,
    convert: Converter | None = None,
    decode: bool = False,
    web: bool = False,
    web_runtime: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a trained network as a bundle.

    Each format is compared with the network in eval mode on the CPU: ONNX with ONNX Runtime,
    the ``torch.export`` program after a reload, the safetensors weights in a copy of the
    network. All tensors of all tasks must agree at batch sizes 1 and 4, up to 1e-4 of the
    tensor's largest magnitude, or up to rounding if the network multiplies it. Fewer than four
    images are repeated. Only then is the folder created, or an existing bundle replaced.

    Args:
        network: the trained network, which stays unchanged and on its device.
        tasks: the tasks by name.
        out: folder of the bundle.
        input_size: height and width of the network's input in pixels.
        mean: mean per channel of ``pixel_format``, subtracted from images in 0..1.
        std: standard deviation per channel, by which images are divided.
        plan: sharing plan of the network.
        candidate: candidate of the trial.
        backbone: timm name of the backbone.
        metrics: metrics on the validation split, by task and name.
        images: prepared validation images ``[N, C, H, W]``, ``N >= 1``.
        extra: further JSON values for ``bundle.json``, such as the trial number.
        pixel_format: rule that converts pictures to the network's channels; RGB by default.
        convert: converts the graph after it was compared; by default it stays in float32.
        decode: whether the graph decodes, with non-maximum suppression and scaling to the image.
        web: whether the bundle contains a page that runs the network in a browser. The graph
            decodes then.
        web_runtime: npm package onnxruntime-web as a file or folder; None to download it.
        progress: called with one line of text per step.

    Returns:
        ``out``.

    Raises:
        ExportError: a format or its decoding cannot be written or differs, the conversion is
            refused, or ``out`` is not a bundle.
    """
    preprocessing = _preprocessing(input_size, mean, std, pixel_format or PixelFormat())
    _check_images(images, preprocessing)
    require_replaceable(out)
    if web:
        require_web(preprocessing)
    is_decoded = decode or web
    report = progress or _ignore
    trained = copy.deepcopy(network).cpu().eval()
    with staged(out) as folder:
        if web:
            report("copying onnxruntime-web" if web_runtime else "downloading onnxruntime-web")
            (folder / WEB).mkdir()
            copy_runtime(web_runtime, folder / WEB)
        compared = _fill_batch(images.cpu().float())
        differences = _write_formats(trained, tasks, folder, compared, report)
        converted = {} if convert is None else convert(folder / GRAPH, report)
        outputs = {name: task.output for name, task in sorted(tasks.items())}
        size = preprocessing.size
        if is_decoded:
            report("adding the decoding to the graph")
            add_decoding(folder / GRAPH, outputs, input_size=size)
            decoding = check_decoding(folder / GRAPH, outputs, compared.numpy(), input_size=size)
        manifest = Manifest(
            mtlsearch=version("mtlsearch"),
            backbone=backbone,
            units=network.units,
            plan=plan,
            parameters=count_parameters(trained),
            candidate=candidate.to_json(),
            preprocessing=preprocessing,
            tasks=outputs,
            metrics={task: _finite(values) for task, values in sorted(metrics.items())},
            check={
                "tolerance": TOLERANCE,
                "relative_to": "the largest magnitude of each tensor",
                "batch_sizes": list(BATCH_SIZES),
                "images": len(images),
                "differences": differences,
                **({"decoding": decoding} if is_decoded else {}),
            },
            files={},
            extra={**(extra or {}), **converted},
            decoded=is_decoded,
        )
        if web:
            write_page(folder / WEB, manifest, out.resolve().name)
        _write_manifest(folder, manifest)
        open_bundle(folder)
    return out


def _ignore(_: str) -> None:
    """Ignore a progress message."""


def _check_images(images: Tensor, preprocessing: Preprocessing) -> None:
    shape = (len(preprocessing.mean), *preprocessing.size)
    if images.ndim != 4 or not len(images) or images.shape[1:] != shape:
        raise ExportError(
            f"export needs prepared images to compare the formats, got the shape "
            f"{tuple(images.shape)}",
            allowed=[f"[N, {', '.join(map(str, shape))}] with N >= 1"],
            next_step="add an image to the validation split",
        )


def _fill_batch(images: Tensor) -> Tensor:
    """Repeat images until they fill a batch of the largest size that is compared."""
    count = max(len(images), *BATCH_SIZES)
    return images[torch.arange(count) % len(images)]


def _write_formats(
    network: MultiTaskNetwork,
    tasks: Mapping[str, Task],
    folder: Path,
    images: Tensor,
    report: Progress,
) -> Check:
    """Write and verify the three formats; return the differences by format and tensor."""
    exported = ExportedNetwork(network, tasks).eval()
    expected = module_runner(exported)
    noise = cache(lambda: sensitivity(exported, images))
    names = sorted(expected(images[:1]))
    differences: Check = {}

    report(f"writing {WEIGHTS}")
    save_weights(network, folder / WEIGHTS)
    restored = ExportedNetwork(reload_weights(network, folder / WEIGHTS), tasks).eval()
    differences[WEIGHTS] = check_format(WEIGHTS, module_runner(restored), expected, images)

    report("tracing the network")
    program = make_program(exported, images[: max(BATCH_SIZES)])
    report(f"writing {GRAPH}")
    save_graph(program, names, folder / GRAPH)
    differences[GRAPH] = check_format(GRAPH, _graph_runner(folder / GRAPH), expected, images, noise)

    report(f"writing {PROGRAM}")
    save_program(program, folder / PROGRAM)
    reloaded = torch.export.load(folder / PROGRAM).module()
    differences[PROGRAM] = check_format(PROGRAM, module_runner(reloaded), expected, images, noise)
    return differences


def _graph_runner(path: Path) -> Runner:
    weights = path.with_name(GRAPH_WEIGHTS)
    session = open_graph(path, weights=weights if weights.exists() else None)
    names = [output.name for output in session.get_outputs()]

    def run(images: Tensor) -> Arrays:
        return dict(zip(names, session.run(names, {INPUT: images.numpy()}), strict=True))

    return run


def _preprocessing(
    size: tuple[int, int], mean: Sequence[float], std: Sequence[float], pixel_format: PixelFormat
) -> Preprocessing:
    return Preprocessing(
        (int(size[0]), int(size[1])),
        tuple(map(float, mean)),
        tuple(map(float, std)),
        pixel_format.channels,
        pixel_format.pixel_range,
    )


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Replace NaN and infinity, which JSON lacks, by None."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write program and model card, then ``bundle.json`` with the checksums of all other files."""
    write_runner(folder)
    web = _digests(folder / WEB) if (folder / WEB).exists() else {}
    has_weights = (folder / GRAPH_WEIGHTS).exists()
    card = write_card(manifest, has_graph_weights=has_weights, has_web=bool(web))
    (folder / CARD).write_text(card, encoding="utf-8")
    value = replace(manifest, files=_digests(folder), web=web).to_json()
    text = json.dumps(seal(value), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _digests(folder: Path) -> dict[str, FileEntry]:
    """Return the checksums of the files in a folder."""
    return {path.name: digest_of(path) for path in sorted(folder.iterdir()) if path.is_file()}
