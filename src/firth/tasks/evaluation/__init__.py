"""Encoders side by side on one task: which trainings are made, kept and scored, and which of them counts."""
