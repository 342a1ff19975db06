"""word2vec: skip-gram and CBOW with negative sampling (Mikolov et al., 2013a, 2013b), from id streams to vectors."""
