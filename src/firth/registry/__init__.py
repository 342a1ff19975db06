"""The model registry: versions with evidence, the gate, promotion and rollback."""
