"""Whether the hub answers, asked once before a download that would go on trying."""

from __future__ import annotations

import time

import timm

from mtlsearch.errors import BackboneError

TIMEOUT = 5.0
"""Seconds that an answer may take."""

PAUSE = 1.0
"""Seconds before the one further try."""

WAYS_OUT = (
    "download them on a machine with access and name the file as checkpoint_path, in place of "
    "pretrained: true, or train from random weights with pretrained: false"
)

_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors")
"""What weights are called there; any answer will do, one that there is no such file as well."""


def require_hub(name: str) -> None:
    """Be sure that pretrained weights that would be downloaded can be asked for.

    The hub's own client asks for minutes, file by file, before it gives up, and prints each of its
    tries. Here there are two, of one file. Weights that were downloaded before need no answer, and
    what an answer says is left to the download.

    Args:
        name: a timm name.

    Raises:
        BackboneError: nobody answers.
    """
    repository, file = _place(name)
    if not repository or _is_here(repository, file):
        return
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, file or _FILES[0])
    for is_last in (False, True):
        try:
            get_hf_file_metadata(url, timeout=TIMEOUT)
            return
        except Exception as error:  # each version of the client has another library's errors
            reason = _from_the_system(error)
            if reason is None:
                return  # an answer, whatever it says, or a client that was told to ask nobody
            if is_last:
                raise BackboneError(
                    f"the pretrained weights of {name!r} cannot be had: nobody answers "
                    f"({reason}); tried twice: {url}",
                    where="backbone.pretrained",
                    next_step=WAYS_OUT,
                ) from error
        time.sleep(PAUSE)


def _place(name: str) -> tuple[str | None, str | None]:
    """Repository of a model's weights, and file where it has a name of its own; else None."""
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if config is None or config.file:
        return None, None
    return config.hf_hub_id, config.hf_hub_filename


def _is_here(repository: str, file: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = (file,) if file else _FILES
    return any(isinstance(try_to_load_from_cache(repository, each), str) for each in names)


def _from_the_system(error: BaseException | None) -> OSError | None:
    """The operating system's error that an error comes from, such as a refused connection."""
    while error is not None:
        if isinstance(error, TimeoutError):  # has no number where a library raised it
            return error
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__ or error.__context__
    return None
