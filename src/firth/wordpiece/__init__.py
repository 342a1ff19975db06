"""WordPiece: a deterministic trainer, the tokenizer, the memory-mapped token store."""
