"""What the features do not need is taken off a model: classifier, pooling, final norm."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from mtlsearch.models.cutting._trace import Trace

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def unused_weights(model: nn.Module, seen: Trace) -> list[str]:
    """Names of the parameters and buffers that the dry run did not touch."""
    removed = _unused_modules(model, seen)
    loose = _unused_parameters(model, seen)
    return [
        name
        for name in model.state_dict()
        if name in loose or any(name.startswith(f"{path}.") for path in removed)
    ]


def prune(model: nn.Module, seen: Trace) -> None:
    """Replace modules that did not run by identities and drop parameters nobody used."""
    loose = _unused_parameters(model, seen)
    for path in _unused_modules(model, seen):
        parent, _, name = path.rpartition(".")
        model.get_submodule(parent).register_module(name, nn.Identity())
    for name in loose:
        parent, _, last = name.rpartition(".")
        model.get_submodule(parent).register_parameter(last, None)


def _unused_modules(model: nn.Module, seen: Trace) -> list[str]:
    """The largest modules with weights of which nothing ran and no parameter was used.

    Containers stay, emptied: a model may loop over one that it makes no use of.
    """
    used = {call.path for call in seen.calls} | set(seen.first_use)
    alive = {prefix for path in used for prefix in _prefixes(path)}
    found: list[str] = []

    def descend(path: str, module: nn.Module) -> None:
        for name, child in module.named_children():
            below = f"{path}.{name}" if path else name
            if below in alive or isinstance(child, _CONTAINERS):
                descend(below, child)
            elif any(True for _ in child.parameters()) and not _is_tied(child, model, alive):
                found.append(below)

    descend("", model)
    return found


def _is_tied(module: nn.Module, model: nn.Module, alive: set[str]) -> bool:
    """Whether the module stands, under its first name, among those that ran."""
    names = {id(each): name for name, each in model.named_modules()}
    return names[id(module)] in alive


def _unused_parameters(model: nn.Module, seen: Trace) -> set[str]:
    """Parameters of modules that string others together, such as a class token nobody reads.

    Those inside modules that ran are kept: what a module does with them is its own affair.
    """
    ran = {call.path for call in seen.calls}
    return {
        name
        for name, _ in model.named_parameters()
        if name not in seen.first_use
        and not any(prefix in ran for prefix in _prefixes(name))
        and not any(name.startswith(f"{path}.") for path in _unused_modules(model, seen))
    }


def _prefixes(path: str) -> Iterable[str]:
    parts = path.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))
