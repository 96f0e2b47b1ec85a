"""Entry point of ``python -m mtlsearch.cli``, which torchrun uses."""

from mtlsearch.cli._app import main

if __name__ == "__main__":
    main()
