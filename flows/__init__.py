"""Prefect flows: a typed signature and the wiring. The work is in `firth.pipeline` and `firth.registry`."""
