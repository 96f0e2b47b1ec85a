"""Source ``voc``: data sets in the layout of PASCAL VOC devkits.

::

    JPEGImages/NAME.jpg            images (also .png, .bmp and others)
    ImageSets/Main/train.txt       one NAME per line; also val.txt and test.txt
    Annotations/NAME.xml           boxes
    SegmentationClass/NAME.png     class indices as palette indices, 255 is void

Labels are ``boxes``, ``segmentation`` (background and the classes) and, if enabled, ``classes``
(the classes that occur in the image). Without lists, every XML file is an image of ``train``.
Settings give the folders other names. Without an XML file or a mask, that label is missing. An
XML file without objects is an empty list of boxes.
"""

from ._settings import VocSettings
from ._source import Voc, mtlsearch_datasets

__all__ = ["Voc", "VocSettings", "mtlsearch_datasets"]
