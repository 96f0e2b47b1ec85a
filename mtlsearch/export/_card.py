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

The tensors of each task, as `task.tensor` (B images, C classes):

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
image = image.resize(size[::-1], Image.Resampling.BILINEAR)
pixels = (np.asarray(image, np.float32) / 255 - np.float32(mean)) / np.float32(std)
session = onnxruntime.InferenceSession("model.onnx")
names = [output.name for output in session.get_outputs()]
outputs = dict(zip(names, session.run(names, {"images": pixels.transpose(2, 0, 1)[None]})))
for name, array in outputs.items():
    print(name, array.shape)
```
"""


def write_card(manifest: Manifest, *, has_graph_weights: bool = False) -> str:
    """Return the text of the model card.

    Args:
        manifest: the manifest of the bundle.
        has_graph_weights: whether the weights of the graph are a file of their own.
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
        manifest=MANIFEST,
        card=CARD,
        runner=RUNNER,
        modules=MODULES,
        tensor_code=_TENSOR_CODE if manifest.preprocessing.channels == "rgb" else "",
        tensors="\n".join(_task(name, output) for name, output in manifest.tasks.items()),
    )


def _task(name: str, output: OutputSpec) -> str:
    classes = f", classes: {', '.join(output.classes)}" if output.classes else ""
    unit = f", in {output.unit}" if output.unit else ""
    return f"- `{name}`: {_DESCRIPTION[output.form]}{unit}{classes}"
