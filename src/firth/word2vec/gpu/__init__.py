"""The engine on a GPU, in Triton."""
