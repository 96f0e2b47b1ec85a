"""``mtlsearch dashboard``."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from threading import Thread
from typing import Annotated
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import typer

from mtlsearch.cli._context import read_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import RunFolder


def dashboard(
    ctx: typer.Context,
    run: RunFolder,
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Port.")] = 8080,
    host: Annotated[
        str, typer.Option(metavar="NAME", help="Address to listen on; this machine by default.")
    ] = "127.0.0.1",
) -> None:
    """Open optuna-dashboard on the study of a run, in a browser.

    Serves until Ctrl-C, also while a search is running. The pages can delete the study, so keep
    the port on this machine.
    """
    options = GlobalOptions.of(ctx)
    config = read_run(run, options).config

    from mtlsearch.errors import RunError
    from mtlsearch.study import RunDirectory, open_run_storage, read_view

    if find_spec("optuna_dashboard") is None:
        raise RunError(
            "the package optuna-dashboard is not installed",
            where="mtlsearch dashboard",
            next_step="pip install 'mtlsearch[dashboard]'",
        )
    read_view(run, config)  # names a missing or damaged study
    require_free_port(host, port)
    import optuna_dashboard

    pages = optuna_dashboard.wsgi(open_run_storage(RunDirectory(run), config))
    options.console.print(f"http://{host}:{port}/dashboard/")
    options.console.info("Ctrl-C ends it")
    _serve(make_server(host, port, pages, handler_class=_QuietHandler))


LAST_REQUEST_S = 5.0
"""Seconds that the request that is being answered has after Ctrl-C."""


class _QuietHandler(WSGIRequestHandler):
    """Handler of requests that writes no line for each of them."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


def _serve(server: WSGIServer) -> None:
    """Serve until Ctrl-C, in a thread: wsgiref catches a Ctrl-C that arrives in a request."""
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        # shutdown() waits for the request that is being answered, which may take long
        Thread(target=server.shutdown, daemon=True).start()
        thread.join(timeout=LAST_REQUEST_S)
    finally:
        server.server_close()


def require_free_port(host: str, port: int) -> None:
    """Check that a server can listen on a port.

    Args:
        host: address of this machine.
        port: number of the port.

    Raises:
        RunError: it cannot.
    """
    from mtlsearch.errors import RunError

    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise RunError(
            f"no server can listen on {host}:{port}: {error.strerror or error}",
            where="--port",
            next_step="set another --port or --host",
        ) from error
