"""AdamW, LAMB and Muon; learning rates by steps, tokens or time; the guard against spikes of the loss."""
