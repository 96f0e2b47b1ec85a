"""Data sets in PASCAL VOC's devkit layout.

::

    JPEGImages/NAME.jpg            images (.jpeg and .png as well)
    ImageSets/Main/train.txt       one NAME a line; val.txt and test.txt where there are any
    Annotations/NAME.xml           boxes
    SegmentationClass/NAME.png     class indices (a palette's), 255 void

Labels: ``boxes``, ``segmentation`` (background and the classes) and, where asked for,
``classes`` (which of them are in the image). An image without an XML or without a mask
lacks that label; one whose XML has no object has an empty list of boxes.
"""

from ._source import Voc, VocSettings, mtlsearch_datasets

__all__ = ["Voc", "VocSettings", "mtlsearch_datasets"]
