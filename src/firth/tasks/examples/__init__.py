"""Labelled examples of the four usages: read from pinned files, split without leaks, cut to seeded subsets."""
