"""Built-in search spaces; they import only `mtlsearch.plugin`, not torch."""
