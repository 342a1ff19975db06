"""The HTML page: what was found (a DVC output, always the same bytes) and, around it, how it came about."""
