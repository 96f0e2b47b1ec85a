"""The command line: one file a command, no torch until one needs it.

::

    $ mtlsearch init my-run
    $ mtlsearch search my-run/run.yaml --out results/first
    $ mtlsearch leaderboard results/first

This is the only floor that turns errors into exit codes:

====  =========================================================================================
0     it worked
1     it failed: bad data, a run that is not there, a path that cannot be written, a failed export
2     it was asked for wrongly: the command line, the run file, an unknown name
70    a mistake in mtlsearch or in a plugin; ``--debug`` shows the traceback
130   stopped by Ctrl-C
====  =========================================================================================
"""

from mtlsearch.cli._app import main
from mtlsearch.cli._table import COMMANDS, Command

__all__ = ["COMMANDS", "Command", "main"]
