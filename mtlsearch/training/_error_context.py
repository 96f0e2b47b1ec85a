"""Error context: errors of torch and of plugins, translated to errors with a fix."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mtlsearch.errors import (
    MtlsearchError,
    PluginError,
    TrainingError,
    infrastructure_error_of,
)
from mtlsearch.plugin import Task


@contextmanager
def attribute_errors_to(task: Task, part: str) -> Iterator[None]:
    """Convert errors raised inside the context to a PluginError that names a task.

    Errors of mtlsearch pass unchanged.

    Args:
        task: the task whose code runs in the context.
        part: the part of the task that runs, such as ``"head"``.

    Yields:
        Nothing.

    Raises:
        PluginError: the code in the context raised an error, or ended the program.
        InfrastructureError: a disk or the memory of the machine is full.
    """
    try:
        yield
    except MtlsearchError:
        raise
    except (Exception, SystemExit) as error:  # a plugin can raise anything; the cause is kept
        if (failure := infrastructure_error_of(error)) is not None:
            raise failure from error
        raise PluginError(
            f"the {part} of task {task.name!r} fails: {type(error).__name__}: "
            f"{' '.join(str(error).split())}",
            where=origin_of(task),
            next_step="fix the task kind: --debug shows the traceback, and "
            "mtlsearch.testing.TaskContract tests a kind without a search",
        ) from error


def origin_of(task: Task) -> str:
    """Return the kind of a task and the file that defines it, for messages."""
    file = getattr(sys.modules.get(type(task).__module__), "__file__", None)
    return f"task kind {task.kind!r}" + (f", {file}" if file else "")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Convert errors of torch that the user can fix to a TrainingError; pass all others.

    Raises:
        TrainingError: the memory of the device is exhausted, BatchNorm got a single value per
            channel, or ``torch.compile`` failed.
        InfrastructureError: the memory of the machine is exhausted.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise _out_of_memory() from error
        if (failure := infrastructure_error_of(error)) is not None:
            raise failure from error
        if _is_compiler_error(error):
            raise _compilation_failed(error) from error
        raise
    except ValueError as error:
        if "Expected more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            "BatchNorm cannot train on a single image of this size",
            where="train.batch_size",
            next_step="set a batch size of 2 or more per accumulation step, or set "
            "data.image_size to a larger value",
        ) from error


@contextmanager
def require_full_batch(balancer: str | None) -> Iterator[None]:
    """Raise a TrainingError if memory is exhausted and the batch must not be split.

    Args:
        balancer: name of the balancer that needs whole batches; None passes all errors.

    Raises:
        TrainingError: memory is exhausted.
    """
    try:
        yield
    except RuntimeError as error:
        if balancer is None or not is_out_of_memory(error):
            raise
        raise TrainingError(
            "the memory of the device is too small for a whole batch, which balancer "
            f"{balancer!r} needs",
            where="train.batch_size",
            next_step="set train.batch_size or data.image_size to a smaller value, or set "
            "search.balancer to static, which can split batches",
        ) from error


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether the memory of the GPU or of the machine is exhausted."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _out_of_memory() -> TrainingError:
    return TrainingError(
        "the memory of the device is too small for this network, even with one image at a time",
        where="train.batch_size",
        next_step="set data.image_size to a smaller value, choose a smaller backbone, or set "
        "train.precision to bf16",
    )


def _is_compiler_error(error: RuntimeError) -> bool:
    """Return whether torch.compile raised the error, without importing the compiler."""
    module = sys.modules.get("torch._dynamo.exc")
    return module is not None and isinstance(error, module.TorchDynamoException)


def _compilation_failed(error: RuntimeError) -> TrainingError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return TrainingError(
        f"torch.compile cannot compile this network: {' '.join(lines[:2])}",
        where="train.compile",
        allowed=["true", "false"],
        next_step="set train.compile to false, or install a C++ compiler (for a GPU, Triton)",
    )
