"""Commands of the program, one module per command."""
