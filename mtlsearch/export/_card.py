"""``README.md`` of a bundle: how to use it without mtlsearch."""

from __future__ import annotations

from mtlsearch.bundle import CARD, GRAPH, MANIFEST, PROGRAM, WEIGHTS, Manifest
from mtlsearch.labels import Form
from mtlsearch.prediction import OutputSpec

_MEANING = {
    Form.CATEGORY: "`scores` [B, C], probabilities that sum to 1",
    Form.CATEGORIES: "`scores` [B, C], independent probabilities",
    Form.BOXES: "`boxes` [B, N, 4] left, top, right, bottom in pixels of the input, and "
    "`scores` [B, N, C]; apply a threshold and non-maximum suppression",
    Form.MASK: "`scores` [B, C, H, W]; the largest wins",
    Form.MAP: "`values` [B, K, H, W]",
}

_PAGE = """\
# {backbone}, tasks {tasks}

Found and exported by mtlsearch {version}; sharing: {plan}.

| file | what it is |
| --- | --- |
| `{graph}` | the network for ONNX Runtime: images in, every task's tensors out, any batch size |
| `{program}` | the same as a `torch.export` program |
| `{weights}` | its weights alone, under timm's names |
| `{manifest}` | architecture, sharing plan, classes, preprocessing, metrics, checksums |
| `{card}` | this page |

With mtlsearch: `mtlsearch predict BUNDLE IMAGE... --out DIR`. Without it:

```python
import json
import numpy as np
import onnxruntime
from pathlib import Path
from PIL import Image, ImageOps

about = json.loads(Path("{manifest}").read_text(encoding="utf-8"))
size, mean, std = (about["preprocessing"][key] for key in ("size", "mean", "std"))
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
    """The page's text."""
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
    classes = f"; classes: {', '.join(output.classes)}" if output.classes else ""
    unit = f"; in {output.unit}" if output.unit else ""
    return f"- `{name}`: {_MEANING[output.form]}{unit}{classes}"
