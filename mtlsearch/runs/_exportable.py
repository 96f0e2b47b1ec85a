"""Export of an untrained network, so that what cannot be exported is refused before training."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtlsearch.config import RunConfig
from mtlsearch.errors import ExportError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Task

if TYPE_CHECKING:
    from mtlsearch.models import CutBackbone, MultiTaskNetwork

_EXPORTABLE: set[Hashable] = set()
"""Architectures that this process has exported; their weights do not matter."""


@dataclass(frozen=True, slots=True)
class ExportTrial:
    """Trial export of the network with the ``hard`` plan on one backbone.

    Attributes:
        config: the run file.
        cut: the cut backbone, with any weights.
        tasks: the tasks by name.
        backbone: timm name of the backbone.
    """

    config: RunConfig
    cut: CutBackbone
    tasks: Mapping[str, Task]
    backbone: str

    def run(self) -> None:
        """Run all heads, and convert the untrained network to a program and to ONNX in memory.

        An architecture is converted once per process, which takes a few seconds.

        Raises:
            PluginError: a head cannot be built, or it or ``predict`` raises an error.
            ExportError: an operation cannot be exported; the message names the tasks whose
                networks alone cannot be exported either.
        """
        if self._architecture in _EXPORTABLE:
            return
        self._run_heads()
        try:
            self._convert(self.tasks)
        except ExportError as error:
            raise self._with_origin(error) from error
        _EXPORTABLE.add(self._architecture)

    @property
    def _architecture(self) -> Hashable:
        config = self.config
        heads = tuple(
            (name, type(task), repr(task.settings), replace(task.label, counts=None))
            for name, task in sorted(self.tasks.items())
        )
        shape = (config.data.image_size, self.cut.channels)
        return (self.backbone, config.backbone.granularity, shape, heads)

    def _run_heads(self) -> None:
        import torch

        from mtlsearch.training import attribute_errors_to, seeded_heads

        features = self.cut.features
        levels = [
            torch.zeros(2, level.channels, *size)
            for level, size in zip(features.levels, features.sizes, strict=True)
        ]
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            for name, head in seeded_heads(self.tasks, features, self.config.seed).items():
                with attribute_errors_to(self.tasks[name], "head"):
                    outputs = head.eval()(list(levels))
                with attribute_errors_to(self.tasks[name], "`predict`"):
                    self.tasks[name].predict(outputs)

    def _convert(self, tasks: Mapping[str, Task]) -> None:
        import torch

        from mtlsearch.models.programs import ExportedNetwork, convert_to_onnx, make_program

        exported = ExportedNetwork(self._network(tasks), tasks).eval()
        images = torch.zeros(2, self.cut.channels, *self.config.data.image_size)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            names = sorted(exported(images))
            convert_to_onnx(make_program(exported, images), names)

    def _network(self, tasks: Mapping[str, Task]) -> MultiTaskNetwork:
        from mtlsearch.models import MultiTaskNetwork
        from mtlsearch.training import seeded_heads

        plan = SharingPlan.hard(sorted(tasks), len(self.cut.units))
        heads = seeded_heads(tasks, self.cut.features, self.config.seed)
        return MultiTaskNetwork(self.cut, plan, heads)

    def _with_origin(self, error: ExportError) -> ExportError:
        """Return the error with the tasks whose networks alone cannot be exported either."""
        failed: dict[str, ExportError] = {}
        for name, task in self.tasks.items():
            try:
                self._convert({name: task})
            except ExportError as alone:
                failed[f"{name} ({task.kind})"] = alone
        first = next(iter(failed.values()), error)
        names = ", ".join(failed or self.tasks)
        return first.named_in(f"the network of {names} on {self.backbone}")
