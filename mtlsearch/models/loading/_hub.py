"""Check that the model hub is reachable before weights are downloaded."""

from __future__ import annotations

import time

import timm

from mtlsearch.errors import BackboneError

TIMEOUT = 5.0
"""Seconds to wait for a response."""

RETRY_DELAY = 1.0
"""Seconds before the second attempt."""

WITHOUT_DOWNLOAD = (
    "download the weights on a machine with network access and set `checkpoint_path` to the "
    "file, or set `pretrained: false` to train from random weights"
)

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors")
"""Names of weight files on the hub."""


HUB_PREFIXES = ("hf_hub", "hf-hub")
"""Prefixes of timm's names of models that the hub describes."""

WITHOUT_HUB = (
    "repeat it with network access, which stores the description, or set a model of timm itself "
    "(`mtlsearch list backbones`)"
)


def is_on_hub(name: str) -> bool:
    """Return whether the hub describes a model, so that even creating it needs a file of it."""
    return name.partition(":")[0] in HUB_PREFIXES


def is_described(name: str) -> bool:
    """Return whether the description of a model of the hub is on disk."""
    repository, file = _hub_location(name)
    return repository is not None and _is_downloaded(repository, file)


def check_hub(name: str) -> None:
    """Check that the model hub responds if a file of a model must be downloaded.

    The hub's own client tries for minutes, file by file, and prints every attempt. This check
    requests one file at most twice. Any response passes, including "not found", because the
    download reports its own errors. Weights that are already on disk need no request.

    Args:
        name: timm's name of the model.

    Raises:
        BackboneError: the hub does not respond.
    """
    repository, file = _hub_location(name)
    if not repository or _is_downloaded(repository, file):
        return
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, file or _WEIGHT_FILES[0])
    for is_last in (False, True):
        try:
            get_hf_file_metadata(url, timeout=TIMEOUT)
            return
        except Exception as error:  # the classes depend on the version of the client
            reason = _connection_error(error)
            if reason is None:
                return  # the hub responded, or the client is in offline mode
            if is_last:
                what = "description" if is_on_hub(name) else "pretrained weights"
                raise BackboneError(
                    f"cannot download the {what} of {name!r}: the model hub is "
                    f"unreachable ({reason}), two attempts at {url}",
                    where=None if is_on_hub(name) else "backbone.pretrained",
                    next_step=WITHOUT_HUB if is_on_hub(name) else WITHOUT_DOWNLOAD,
                ) from error
        time.sleep(RETRY_DELAY)


def _hub_location(name: str) -> tuple[str | None, str | None]:
    """Return the repository of a model and the file to ask for; None where timm has none."""
    if is_on_hub(name):
        return name.partition(":")[2].partition("@")[0], "config.json"
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if config is None or config.file:
        return None, None
    return config.hf_hub_id, config.hf_hub_filename


def _is_downloaded(repository: str, file: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = (file,) if file else _WEIGHT_FILES
    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in names)


def _connection_error(error: BaseException | None) -> OSError | None:
    """Return the operating system's error in a chain of causes, such as a refused connection."""
    while error is not None:
        if isinstance(error, TimeoutError):  # raised by a library, it has no errno
            return error
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__ or error.__context__
    return None
