"""Word tasks: Google analogies, WordSim-353 and SimLex-999; readers, scorers and their confidence intervals."""
