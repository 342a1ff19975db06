"""Training itself: the loop with its checkpoints, one process or several, what is measured and what is written."""
