"""What BERT reads: text by document, pairs of segments as a pure function of (seed, epoch, index), packed steps."""
