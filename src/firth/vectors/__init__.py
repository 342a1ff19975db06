"""Trained vectors in use: looking up, searching, and other programs' files."""
