"""Entry point of ``python -m mtlsearch.cli``, which torchrun uses."""

from mtlsearch.cli._main import main

if __name__ == "__main__":
    main()
