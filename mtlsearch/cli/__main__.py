"""``python -m mtlsearch`` is ``mtlsearch``; torchrun starts it this way."""

from mtlsearch.cli._app import main

if __name__ == "__main__":
    main()
