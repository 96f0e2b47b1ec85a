"""Page of a run: one HTML file that opens from disk, without a network.

* :func:`read_contents`: everything that is in the run directory.
* :func:`measure_networks`: confusion matrices and pictures, from weights and data.
* :func:`render_page`: the HTML text.
* :func:`draw_plan`: a sharing plan as inline SVG.
"""

from mtlsearch.report.page._contents import RunContents, read_contents
from mtlsearch.report.page._networks import NetworkResults, measure_networks
from mtlsearch.report.page._plan_drawing import draw_plan
from mtlsearch.report.page._summary import compared_networks
from mtlsearch.report.page._write import render_page

__all__ = [
    "NetworkResults",
    "RunContents",
    "compared_networks",
    "draw_plan",
    "measure_networks",
    "read_contents",
    "render_page",
]
