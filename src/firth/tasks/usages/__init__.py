"""The usages of an encoder: labels, numbers and choices for texts, a span of a text, a tag for each word."""
