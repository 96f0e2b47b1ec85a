"""Built-in plugins, written against `mtlsearch.plugin` alone."""
