"""From sentences to numbers: what a word is, the vocabulary, and the memory-mapped id stream."""
