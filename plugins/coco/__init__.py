"""Data sets in COCO's instances format.

One JSON a split, with ``images``, ``annotations`` and ``categories``. Category ids may have
gaps; classes are the categories in the order of their ids. Labels: ``boxes`` and, where
asked for, ``segmentation`` (background and the classes, painted from the instances) and
``classes`` (which of them are in the image).

- An image without annotations has an empty list of boxes, and a mask of background.
- A crowd region (``iscrowd: 1``) is a crowd box, and void in the mask.
- Instances are polygons or run lengths, compressed or not. Where they overlap, the smaller
  one is painted over the larger.
- An image one of whose annotations has no ``segmentation`` lacks that label.
"""

from ._source import Coco, CocoSettings, mtlsearch_datasets

__all__ = ["Coco", "CocoSettings", "mtlsearch_datasets"]
