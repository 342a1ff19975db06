"""One module a DVC stage: read the parameters, call, write the outputs; nothing else."""
