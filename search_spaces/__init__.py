"""Built-in search spaces, written against `mtlsearch.plugin` alone; no torch."""
