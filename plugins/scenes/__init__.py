"""Generated scenes: overlapping textured shapes, with a dial for how related the tasks are.

Every image is a square of ``size`` pixels, drawn from the seed and its index alone:

- a **background**: a muted colour under one of six gratings (fine or coarse; across, down
  or aslant), a gradient of light, thin unlabelled lines and sensor noise;
- two to four **objects** that may cover one another: a shape (disk, square, triangle, star,
  ring, cross; turned and of any size from a fifth to two fifths of the image) in a bright
  colour under a texture (plain, striped, checked, dotted, mottled, speckled).

Its labels:

- ``objects``: boxes around what can be seen of each object, classed by **shape**;
- ``shapes``: a mask, background and six classes of object;
- ``scene``: one of six scenes.

``relatedness`` says what the last two go by. At 1 all three tasks need the same thing, to
tell shapes apart: the mask's classes are the shapes, and a scene is a pair of shapes that
are present. At 0 they pull apart: the mask's classes are the textures, which boxes do not
care for, and a scene is the background's grating, which is clutter to both others. In
between, the first ``round(6 * relatedness)`` scenes and mask classes go by shape and the
rest by grating and texture, so the labels can be told from the image without doubt at
every setting. A mirror image has the same labels.
"""

from ._rules import Rules
from ._source import Scenes, ScenesSettings, mtlsearch_datasets

__all__ = ["Rules", "Scenes", "ScenesSettings", "mtlsearch_datasets"]
