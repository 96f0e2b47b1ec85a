"""Trained network of the Python API. Unlike the rest of the API, this package imports torch."""

from mtlsearch.api.network._trained_network import TrainedNetwork

__all__ = ["TrainedNetwork"]
