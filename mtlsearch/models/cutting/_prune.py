"""Removal of what the feature levels do not need: classifier, pooling, final normalization."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from mtlsearch.models.cutting._trace import Trace

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def unused_weights(model: nn.Module, trace: Trace) -> list[str]:
    """List the weights that a trace did not use.

    Args:
        model: the model.
        trace: its trace.

    Returns:
        Names of parameters and buffers in the order of the state dict.
    """
    modules = _unused_modules(model, trace)
    parameters = _unused_parameters(model, trace)
    return [
        name
        for name in model.state_dict()
        if name in parameters or any(name.startswith(f"{path}.") for path in modules)
    ]


def prune(model: nn.Module, trace: Trace) -> None:
    """Remove unused modules and parameters from a model.

    Modules are replaced by identities, parameters by None.

    Args:
        model: the model, changed in place.
        trace: its trace.
    """
    parameters = _unused_parameters(model, trace)
    for path in _unused_modules(model, trace):
        parent, _, name = path.rpartition(".")
        model.get_submodule(parent).register_module(name, nn.Identity())
    for path in parameters:
        parent, _, name = path.rpartition(".")
        model.get_submodule(parent).register_parameter(name, None)


def _unused_modules(model: nn.Module, trace: Trace) -> list[str]:
    """Return the largest modules with weights that did not run and are not used otherwise.

    Containers remain, with their content replaced, because a model may iterate over them.
    """
    used = {call.path for call in trace.calls} | set(trace.first_use)
    used_prefixes = {prefix for path in used for prefix in _prefixes(path)}
    unused: list[str] = []

    def descend(path: str, module: nn.Module) -> None:
        for name, child in module.named_children():
            child_path = f"{path}.{name}" if path else name
            if child_path in used_prefixes or isinstance(child, _CONTAINERS):
                descend(child_path, child)
            elif any(True for _ in child.parameters()) and not _is_alias(
                child, model, used_prefixes
            ):
                unused.append(child_path)

    descend("", model)
    return unused


def _is_alias(module: nn.Module, model: nn.Module, used_prefixes: set[str]) -> bool:
    """Return whether a module is used under the first of its several names."""
    names = {id(submodule): name for name, submodule in model.named_modules()}
    return names[id(module)] in used_prefixes


def _unused_parameters(model: nn.Module, trace: Trace) -> set[str]:
    """Return unused parameters of modules that did not run as a whole, such as a class token.

    Unused parameters inside modules that ran remain, because these modules may need them.
    """
    called = {call.path for call in trace.calls}
    return {
        name
        for name, _ in model.named_parameters()
        if name not in trace.first_use
        and not any(prefix in called for prefix in _prefixes(name))
        and not any(name.startswith(f"{path}.") for path in _unused_modules(model, trace))
    }


def _prefixes(path: str) -> Iterable[str]:
    """Yield ``a``, ``a.b`` and ``a.b.c`` for the name ``a.b.c``."""
    parts = path.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))
