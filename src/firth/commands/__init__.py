"""The groups of the `firth` command: arguments in, one call, a table or a line out."""
