"""The model card of a bundle: ``README.md``, with code that does not need mtlsearch."""

from __future__ import annotations

from mtlsearch.bundle import CARD, GRAPH, MANIFEST, PROGRAM, WEIGHTS, Manifest
from mtlsearch.labels import Form
from mtlsearch.prediction import OutputSpec

_DESCRIPTION = {
    Form.CATEGORY: "`scores` [B, C], probabilities with sum 1",
    Form.CATEGORIES: "`scores` [B, C], independent probabilities",
    Form.BOXES: "`boxes` [B, N, 4] left, top, right, bottom in pixels of the input, and "
    "`scores` [B, N, C], both before threshold and non-maximum suppression",
    Form.MASK: "`scores` [B, C, H, W], the largest is the class of a pixel",
    Form.MAP: "`values` [B, K, H, W]",
}

_PAGE = """\
# {backbone}, tasks {tasks}

Exported by mtlsearch {version}. Sharing plan: {plan}.

| file | contents |
| --- | --- |
| `{graph}` | the network for ONNX Runtime: images to tensors of all tasks, any batch size |
| `{program}` | the network as a `torch.export` program |
| `{weights}` | the weights, with timm's names |
| `{manifest}` | architecture, sharing plan, classes, preprocessing, metrics, checksums |
| `{card}` | this page |

With mtlsearch: `mtlsearch predict BUNDLE IMAGE... --out DIR`. Without mtlsearch:

```python
import json
import numpy as np
import onnxruntime
from pathlib import Path
from PIL import Image, ImageOps

manifest = json.loads(Path("{manifest}").read_text(encoding="utf-8"))
size, mean, std = (manifest["preprocessing"][key] for key in ("size", "mean", "std"))
image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
image = image.resize(size[::-1], Image.Resampling.BILINEAR)
pixels = (np.asarray(image, np.float32) / 255 - np.float32(mean)) / np.float32(std)
session = onnxruntime.InferenceSession("{graph}")
names = [output.name for output in session.get_outputs()]
outputs = dict(zip(names, session.run(names, {{"images": pixels.transpose(2, 0, 1)[None]}})))
for name, array in outputs.items():
    print(name, array.shape)
```

The tensors of each task, as `task.tensor` (B images, C classes):

{tensors}
"""


def write_card(manifest: Manifest) -> str:
    """Return the text of the model card."""
    return _PAGE.format(
        backbone=manifest.backbone,
        tasks=", ".join(manifest.tasks),
        version=manifest.mtlsearch,
        plan=manifest.plan,
        graph=GRAPH,
        program=PROGRAM,
        weights=WEIGHTS,
        manifest=MANIFEST,
        card=CARD,
        tensors="\n".join(_task(name, output) for name, output in manifest.tasks.items()),
    )


def _task(name: str, output: OutputSpec) -> str:
    classes = f", classes: {', '.join(output.classes)}" if output.classes else ""
    unit = f", in {output.unit}" if output.unit else ""
    return f"- `{name}`: {_DESCRIPTION[output.form]}{unit}{classes}"
