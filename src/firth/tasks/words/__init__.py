"""Words alone: analogies and similarity, for any word vectors."""
