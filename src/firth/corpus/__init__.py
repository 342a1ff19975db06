"""Text from its sources to a clean corpus: `sources` reads documents, `prepare` cleans, splits and deduplicates."""
