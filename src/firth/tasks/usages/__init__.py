"""The four usages of an encoder: one text, two texts, a span of a text, a tag for each word."""
