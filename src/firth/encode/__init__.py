"""What a trained BERT is used for: filling masks, vectors of texts, attention, exchange with other libraries."""
