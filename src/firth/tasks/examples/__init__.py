"""Data sets for the four usages: read, checked, split by group, cut to seeded subsets."""
