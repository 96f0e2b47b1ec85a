"""Command line: one file per command; torch is imported only by commands that need it.

::

    $ mtlsearch init my-run
    $ mtlsearch search my-run/run.yaml --out results/first
    $ mtlsearch leaderboard results/first

Only this layer turns errors into exit codes:

====  ========================================================================================
0     success
1     failure: bad data, a missing run, a path that cannot be written, a failed export
2     wrong input: the command line, the run file, an unknown name
70    a bug in mtlsearch or in a plugin; ``--debug`` shows the traceback
75    a full disk, full memory or a storage that does not answer; the same command resumes
130   interrupted by Ctrl-C
====  ========================================================================================
"""

from mtlsearch.cli._main import main
from mtlsearch.cli._table import COMMANDS, Command

__all__ = ["COMMANDS", "Command", "main"]
