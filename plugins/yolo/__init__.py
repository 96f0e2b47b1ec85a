"""Source ``yolo``: data sets in the layout of Ultralytics YOLO.

::

    data.yaml                  path, train, val, test, names
    images/train/NAME.jpg      images; a split is a folder, several folders or a list of paths
    labels/train/NAME.txt      one object per line, with fractions of the image's size

A line of a label file is ``class x-center y-center width height``, or ``class x1 y1 x2 y2 ...``,
the corners of a polygon. Labels are ``boxes`` (around a polygon) and, if enabled,
``segmentation`` (background and the classes, drawn from polygons) and ``classes`` (the classes
that occur in the image).

- The label file of an image is in the folder ``labels`` beside the last folder ``images`` of its
  path, or beside the image.
- An image without a label file has no objects.
- The mask of an image is missing if one of its objects is not a polygon.
"""

from ._settings import YoloSettings
from ._source import Yolo, mtlsearch_datasets

__all__ = ["Yolo", "YoloSettings", "mtlsearch_datasets"]
