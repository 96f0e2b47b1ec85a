"""Source ``coco``: data sets in COCO's instances format.

One JSON file per split, with ``images``, ``annotations`` and ``categories``. Classes are the
categories, sorted by id; ids can have gaps. Labels are ``boxes`` and, if enabled,
``segmentation`` (background and the classes, drawn from the instances) and ``classes`` (the
classes that occur in the image).

- An image without annotations has an empty list of boxes and a mask of background.
- A crowd region (``iscrowd: 1``) is a crowd box, and void in the mask.
- Instances are polygons or run lengths, compressed or not. Smaller instances are drawn over
  larger ones.
- The mask of an image is missing if one of its annotations has no ``segmentation``.
"""

from ._source import Coco, CocoSettings, mtlsearch_datasets

__all__ = ["Coco", "CocoSettings", "mtlsearch_datasets"]
