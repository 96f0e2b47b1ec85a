"""Being written."""


def to_json(*args, **kwargs):
    raise NotImplementedError
