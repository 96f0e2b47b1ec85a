"""Being written."""


def draw(*args, **kwargs):
    raise NotImplementedError
