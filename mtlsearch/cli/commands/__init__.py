"""Commands of the program, one module per command.

The program imports a module only when its command runs, so this package exports nothing.
"""

__all__: list[str] = []
