"""Being written."""


def decode(*args, **kwargs):
    raise NotImplementedError
