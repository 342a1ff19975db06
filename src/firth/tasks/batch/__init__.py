"""Answers of a model to whole files of records: read in blocks, answered, written beside what was read."""
