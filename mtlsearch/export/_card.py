"""Model card of a bundle: ``README.md``, with code that does not need mtlsearch."""

from __future__ import annotations

from mtlsearch.bundle import (
    CARD,
    GRAPH,
    GRAPH_WEIGHTS,
    MANIFEST,
    MODULES,
    PROGRAM,
    RUNNER,
    WEB,
    WEIGHTS,
    Manifest,
)
from mtlsearch.labels import Form
from mtlsearch.prediction import OutputSpec

_DESCRIPTION = {
    Form.CATEGORY: "`scores` [B, C], probabilities with sum 1",
    Form.CATEGORIES: "`scores` [B, C], independent probabilities",
    Form.BOXES: "`boxes` [B, N, 4] left, top, right, bottom in pixels of the input, and "
    "`scores` [B, N, C], both before threshold and non-maximum suppression",
    Form.MASK: "`scores` [B, C, H, W], the largest is the class of a pixel",
    Form.NUMBER: "`value` [B]",
    Form.MAP: "`values` [B, K, H, W]",
}

_DECODED = {
    Form.CATEGORY: "`label` [B], the class, and `scores` [B, C], probabilities with sum 1",
    Form.CATEGORIES: "`selected` [B, C], the classes with a score of at least the input "
    "`{task}.score_threshold`, and `scores` [B, C]",
    Form.BOXES: "`boxes` [B, M, 4] left, top, right, bottom in pixels of the image, `scores` and "
    "`labels` [B, M], the best first; the first `count` [B] are valid. The inputs "
    "`{task}.score_threshold`, `{task}.iou_threshold` and `{task}.classes` [C] have defaults",
    Form.MASK: "`labels` [B, height, width], the class of each pixel of the image",
    Form.NUMBER: "`value` [B]",
    Form.MAP: "`values` [B, K, height, width] of the image",
}

_WEB = """\
| `{web}/` | a page that runs the network in a browser: \
`python -m http.server --bind 127.0.0.1`, then open <http://localhost:8000/{web}/> |
"""

_DECODED_INPUTS = """\
`{graph}` takes the prepared `images` [B, C, H, W] and `image_size` [2], the height and width of the
images before they were resized, the same for the whole batch. It returns final predictions in
pixels of this size.

"""

_PAGE = """\
# {backbone}, tasks {tasks}

Exported by mtlsearch {version}. Sharing plan: {plan}.

| file | contents |
| --- | --- |
| `{graph}` | the network for ONNX Runtime: images to tensors of all tasks, any batch size |
{graph_weights}| `{program}` | the network as a `torch.export` program |
| `{weights}` | the weights, with timm's names |
| `{runner}` | a program that predicts images and draws the predictions |
| `{modules}` | the Python modules that `{runner}` imports |
| `{manifest}` | architecture, sharing plan, classes, preprocessing, metrics, checksums |
| `{card}` | this page |
{web}
Predict images with Python 3.11, numpy, Pillow and onnxruntime 1.18, or newer ones. mtlsearch need
not be installed:

```console
$ python {runner} photo.jpg --out predictions
```

The same from Python, in this folder:

```python
import sys

sys.path.insert(0, "{modules}")
from mtlsearch.bundle import open_bundle

bundle = open_bundle(".")
predictions = bundle.predict("photo.jpg")  # or a Pillow image, an array [H, W, 3], or a list
for task, prediction in predictions.items():
    print(task, prediction)
bundle.draw("photo.jpg", predictions).save("drawn.png")
```

{inputs}The tensors of each task, as `task.tensor` (B images, C classes):

{tensors}
{tensor_code}"""

_GRAPH_WEIGHTS = f"| `{GRAPH_WEIGHTS}` | the weights of `{GRAPH}`, which exceed 2 GiB |\n"

_TENSOR_CODE = """\

The tensors of a picture of 8 bits, by ONNX Runtime alone:

```python
import json
import numpy as np
import onnxruntime
from pathlib import Path
from PIL import Image, ImageOps

manifest = json.loads(Path("bundle.json").read_text(encoding="utf-8"))
size, mean, std = (manifest["preprocessing"][key] for key in ("size", "mean", "std"))
image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
small = image.resize(size[::-1], Image.Resampling.BILINEAR)
pixels = (np.asarray(small, np.float32) / 255 - np.float32(mean)) / np.float32(std)
session = onnxruntime.InferenceSession("model.onnx")
names = [output.name for output in session.get_outputs()]
inputs = {{"images": pixels.transpose(2, 0, 1)[None]{image_size}}}
outputs = dict(zip(names, session.run(names, inputs)))
for name, array in outputs.items():
    print(name, array.shape)
```
"""


def write_card(
    manifest: Manifest, *, has_graph_weights: bool = False, has_web: bool = False
) -> str:
    """Return the text of the model card.

    Args:
        manifest: the manifest of the bundle.
        has_graph_weights: whether the weights of the graph are a file of their own.
        has_web: whether the bundle contains a page for a browser.
    """
    return _PAGE.format(
        backbone=manifest.backbone,
        tasks=", ".join(manifest.tasks),
        version=manifest.mtlsearch,
        plan=manifest.plan,
        graph=GRAPH,
        graph_weights=_GRAPH_WEIGHTS if has_graph_weights else "",
        program=PROGRAM,
        weights=WEIGHTS,
        web=_WEB.format(web=WEB) if has_web else "",
        manifest=MANIFEST,
        card=CARD,
        runner=RUNNER,
        modules=MODULES,
        inputs=_DECODED_INPUTS.format(graph=GRAPH) if manifest.decoded else "",
        tensor_code=_tensor_code(manifest),
        tensors="\n".join(
            _task(name, output, decoded=manifest.decoded) for name, output in manifest.tasks.items()
        ),
    )


def _tensor_code(manifest: Manifest) -> str:
    if manifest.preprocessing.channels != "rgb":
        return ""
    size = ', "image_size": np.array(image.size[::-1], np.int64)' if manifest.decoded else ""
    return _TENSOR_CODE.format(image_size=size)


def _task(name: str, output: OutputSpec, *, decoded: bool) -> str:
    classes = f", classes: {', '.join(output.classes)}" if output.classes else ""
    unit = f", in {output.unit}" if output.unit else ""
    table = _DECODED if decoded else _DESCRIPTION
    return f"- `{name}`: {table[output.form].format(task=name)}{unit}{classes}"
