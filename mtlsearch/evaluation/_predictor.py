"""Exported tensors of a network, from a trained trial or from a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from mtlsearch.bundle import Bundle, Preprocessing
    from mtlsearch.images import AnyImage
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.plugin import OutputSpec, Task

Arrays = Mapping[str, Mapping[str, "NDArray[np.float32]"]]
"""Tensors ``[B, ...]`` by task and name."""


class Predictor(Protocol):
    """Network that returns the tensors of :meth:`mtlsearch.plugin.Task.predict`."""

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """Specification of each task's tensors."""

    @property
    def input_size(self) -> tuple[int, int]:
        """``(height, width)`` of the network's input in pixels."""

    def run(self, images: Sequence[AnyImage]) -> Arrays:
        """Return the tensors of some images.

        Args:
            images: images of any size, in the pixel format of the run.

        Returns:
            Tensors by task and name.
        """


@dataclass(frozen=True, slots=True)
class NetworkPredictor:
    """Predictor with a trained network, in float32.

    Attributes:
        network: the network, in eval mode, on ``device``.
        tasks: the tasks by name.
        preprocessing: what evaluation does to an image.
        device: device of the network.
    """

    network: MultiTaskNetwork
    tasks: Mapping[str, Task]
    preprocessing: Preprocessing
    device: torch.device

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """See :class:`Predictor`."""
        return {name: task.output for name, task in self.tasks.items()}

    @property
    def input_size(self) -> tuple[int, int]:
        """See :class:`Predictor`."""
        return self.preprocessing.size

    def run(self, images: Sequence[AnyImage]) -> Arrays:
        """See :class:`Predictor`."""
        return self.tensors(np.stack([self.preprocessing(image) for image in images]))

    def tensors(self, inputs: NDArray[np.float32]) -> Arrays:
        """Return the tensors of preprocessed images.

        Args:
            inputs: float32 ``[B, C, H, W]``.

        Returns:
            Tensors by task and name.
        """
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(inputs).to(self.device)
            outputs = self.network(images, tuple(self.tasks))
            return {
                name: {
                    key: tensor.float().cpu().numpy()
                    for key, tensor in task.predict(outputs[name]).items()
                }
                for name, task in self.tasks.items()
            }


@dataclass(frozen=True, slots=True)
class BundlePredictor:
    """Predictor with an exported bundle, run by ONNX Runtime.

    Attributes:
        bundle: the bundle.
    """

    bundle: Bundle

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """See :class:`Predictor`."""
        return self.bundle.tasks

    @property
    def input_size(self) -> tuple[int, int]:
        """See :class:`Predictor`."""
        return self.bundle.manifest.preprocessing.size

    def run(self, images: Sequence[AnyImage]) -> Arrays:
        """See :class:`Predictor`."""
        preprocessing = self.bundle.manifest.preprocessing
        return self.bundle.run(np.stack([preprocessing(image) for image in images]))
