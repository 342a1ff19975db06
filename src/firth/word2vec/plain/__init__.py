"""The engine to read: every objective in plain PyTorch, which the fast ones are tested against."""
