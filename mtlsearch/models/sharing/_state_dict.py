"""State dicts in which a shared weight has one key.

Files contain every weight once, and safetensors accepts them without changes. The keys are
those of ``named_parameters`` and ``named_buffers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch import Tensor, nn


def deduplicate_weights(module: nn.Module) -> None:
    """Make the state dict of a module contain every tensor under its first name only.

    A state dict with all names loads as well.

    Args:
        module: the module, which gets state-dict hooks.
    """
    module.register_state_dict_post_hook(_remove_aliases)  # type: ignore[no-untyped-call]
    module.register_load_state_dict_pre_hook(_restore_aliases)  # type: ignore[no-untyped-call]


def _remove_aliases(
    module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: Any
) -> None:
    for names in _shared_tensor_names(module):
        for name in names[1:]:
            state.pop(prefix + name, None)


def _restore_aliases(module: nn.Module, state: dict[str, Any], prefix: str, *args: Any) -> None:
    for names in _shared_tensor_names(module):
        present = next((prefix + name for name in names if prefix + name in state), None)
        if present is not None:
            for name in names:
                state.setdefault(prefix + name, state[present])


def _shared_tensor_names(module: nn.Module) -> Iterator[list[str]]:
    """Yield the names of each parameter and buffer with several names, in registration order."""
    names_by_id: dict[int, list[str]] = {}
    tensors: Iterator[tuple[str, Tensor]] = chain(
        module.named_parameters(remove_duplicate=False),
        module.named_buffers(remove_duplicate=False),
    )
    for name, tensor in tensors:
        names_by_id.setdefault(id(tensor), []).append(name)
    return (names for names in names_by_id.values() if len(names) > 1)
