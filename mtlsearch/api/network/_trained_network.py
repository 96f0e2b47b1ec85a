"""Trained network of a trial as a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from mtlsearch.bundle import ImageLike, ImagePredictor, draw_all, predict_raw, preprocess, to_image
from mtlsearch.evaluation import NetworkPredictor

if TYPE_CHECKING:
    from PIL import Image

    from mtlsearch.bundle import Preprocessing
    from mtlsearch.images import AnyImage
    from mtlsearch.models import MultiTaskNetwork
    from mtlsearch.plan import SharingPlan
    from mtlsearch.plugin import OutputSpec, Task
    from mtlsearch.prediction import Prediction


class TrainedNetwork(nn.Module, ImagePredictor):
    """Trained backbone and heads of a trial, with the preprocessing of its images.

    A module like any other: ``to(device)``, ``train()``, ``parameters()`` and ``state_dict()``
    work, and no weight is frozen that ``train.freeze`` of the run does not freeze. ::

        images = network.preprocess(["a.jpg", "b.jpg"])   # float32 [2, 3, H, W], normalized
        outputs = network(images)                         # tensors of the heads by task
        scores = network.tensors(images)["scene"]["scores"]
        network.predict("a.jpg")["scene"].index

    Args:
        network: the network.
        tasks: its tasks by name.
        preprocessing: pixel format, resizing and normalization of an image.

    Attributes:
        network: backbone and heads: a module from normalized images to the tensors of the heads.
        preprocessing: pixel format, size, mean and standard deviation of the input.
    """

    def __init__(
        self,
        network: MultiTaskNetwork,
        tasks: Mapping[str, Task[Any]],
        preprocessing: Preprocessing,
    ) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self._tasks = dict(sorted(tasks.items()))

    @property
    def tasks(self) -> Mapping[str, Task[Any]]:
        """The tasks by name. ``tasks["scene"].loss(outputs["scene"], targets)`` is a loss."""
        return MappingProxyType(self._tasks)

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """Form, classes and unit of each task's predictions."""
        return {name: task.output for name, task in self._tasks.items()}

    @property
    def plan(self) -> SharingPlan:
        """The sharing plan as a value."""
        return self.network.plan

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.network.parameters()).device

    def forward(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, dict[str, Tensor]]:
        """Run the backbone and the heads.

        Args:
            images: float ``[B, C, H, W]``, normalized, such as those of :meth:`preprocess`.
            tasks: the tasks; all by default. Units that only other tasks use do not run.

        Returns:
            Outputs of each head by task, such as ``{"scene": {"logits": [B, classes]}}``: what
            ``tasks[name].loss`` and ``tasks[name].predict`` take.
        """
        outputs: dict[str, dict[str, Tensor]] = self.network(images, tasks)
        return outputs

    def tensors(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, dict[str, Tensor]]:
        """Return the tensors that a bundle exports, such as probabilities.

        Args:
            images: as for :meth:`forward`.
            tasks: the tasks; all by default.

        Returns:
            Tensors ``[B, ...]``, float32, by task and name, of the shapes that
            :class:`mtlsearch.plugin.OutputSpec` lists.
        """
        outputs = self(images, tasks)
        return {name: dict(self._tasks[name].predict(output)) for name, output in outputs.items()}

    def preprocess(self, images: ImageLike | Sequence[ImageLike]) -> Tensor:
        """Return images as the network's input, as in evaluation and in exported bundles.

        Args:
            images: an image or a list of images, as for :meth:`predict`.

        Returns:
            float32 ``[B, C, H, W]``, normalized, on the device of the network.

        Raises:
            DataError: an image cannot be read or does not fit the pixel format of the run.
        """
        several = images if isinstance(images, list | tuple) else [cast("ImageLike", images)]
        array = preprocess([to_image(image) for image in several], self.preprocessing)
        return torch.from_numpy(array).to(self.device)

    def _predict_batch(self, images: Sequence[AnyImage]) -> list[dict[str, Prediction]]:
        """Return the predictions for a batch, those of the exported bundle."""
        predictor = NetworkPredictor(self.network, self._tasks, self.preprocessing, self.device)
        training_modules = [module for module in self.modules() if module.training]
        self.eval()
        try:
            return predict_raw(images, predictor.tensors, self.outputs, self.preprocessing)
        finally:
            for module in training_modules:
                module.training = True

    def draw(self, image: ImageLike, predictions: Mapping[str, Prediction]) -> Image.Image:
        """Return an image next to one panel per task with its prediction.

        Args:
            image: the image, as for :meth:`predict`.
            predictions: prediction of each task for this image.

        Returns:
            The drawn picture in mode RGB.

        Raises:
            DataError: the image cannot be read or does not fit the pixel format of the run.
        """
        converted = self.preprocessing.pixel_format.apply(to_image(image))
        return draw_all(self.outputs, converted, predictions)
