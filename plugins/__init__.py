"""Built-in plugins, which use only the public API `mtlsearch.plugin`."""
