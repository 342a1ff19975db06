"""What is learned on an encoder: linear heads, BiLSTMs, tuned word vectors, fine-tuned BERTs."""
