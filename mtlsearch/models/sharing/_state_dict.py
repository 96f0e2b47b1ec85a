"""State dicts in which a weight that several names have stands once.

Files stay as small as the network, safetensors takes them as they are, and the keys are
those of ``named_parameters`` and ``named_buffers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch import Tensor, nn


def deduplicate_weights(module: nn.Module) -> None:
    """Let the module's state dict hold every tensor under its first name only.

    One with all the names loads as well.
    """
    module.register_state_dict_post_hook(_drop_copies)  # type: ignore[no-untyped-call]
    module.register_load_state_dict_pre_hook(_restore_copies)  # type: ignore[no-untyped-call]


def _drop_copies(
    module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: Any
) -> None:
    for names in _names_of_tensors(module):
        for name in names[1:]:
            state.pop(prefix + name, None)


def _restore_copies(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    for names in _names_of_tensors(module):
        present = next((prefix + name for name in names if prefix + name in state), None)
        if present is not None:
            for name in names:
                state.setdefault(prefix + name, state[present])


def _names_of_tensors(module: nn.Module) -> Iterator[list[str]]:
    """The names of each parameter and buffer that has several, in order of registration."""
    names: dict[int, list[str]] = {}
    tensors: Iterator[tuple[str, Tensor]] = chain(
        module.named_parameters(remove_duplicate=False),
        module.named_buffers(remove_duplicate=False),
    )
    for name, tensor in tensors:
        names.setdefault(id(tensor), []).append(name)
    return (each for each in names.values() if len(each) > 1)
