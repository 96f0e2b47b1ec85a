"""Source ``scenes``: generated images of textured shapes, with configurable task relatedness.

Every image is a square with a side of ``image_size`` pixels. The seed and the index of the
image determine it. It contains:

- a **background**: a muted color under one of six gratings (fine or coarse; across, down or
  aslant), a gradient of light, thin unlabeled lines and sensor noise;
- two to four **objects** that can cover each other: a shape (disk, square, triangle, star,
  ring, cross; rotated, with a side from a fifth to two fifths of the image) in a bright color
  under a texture (plain, striped, checked, dotted, mottled, speckled).

The labels are:

- ``objects``: boxes around the visible part of each object, with its **shape** as class;
- ``shapes``: a mask with the background and six classes of objects;
- ``scene``: one of six scenes.

``relatedness`` determines the classes of the last two. At 1, all three tasks depend on shapes:
the classes of the mask are the shapes, and a scene is a pair of shapes that occur. At 0, they
conflict: the classes of the mask are the textures, on which boxes do not depend, and a scene is
the grating of the background, which is clutter for both other tasks. In between, the first
``round(6 * relatedness)`` scenes and mask classes depend on shapes, the rest on grating and
texture. With every value, the image determines the labels without ambiguity. A mirrored image
has the same labels.
"""

from ._rules import Rules
from ._source import Scenes, ScenesSettings, mtlsearch_datasets

__all__ = ["Rules", "Scenes", "ScenesSettings", "mtlsearch_datasets"]
