"""Scores over examples that can be taken again of resampled ones: of labels, numbers, phrases and answers."""
