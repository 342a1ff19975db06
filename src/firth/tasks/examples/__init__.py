"""Labelled examples of the usages: read from pinned files, split without leaks, cut to seeded subsets."""
