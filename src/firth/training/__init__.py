"""What every training shares: fingerprints, checkpoints, the metrics log, signals, chance, compiled kernels."""
