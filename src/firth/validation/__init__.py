"""Is this text fit to train on? Exact statistics, a seeded sample, and Great Expectations as the judge."""

from firth.validation.verdict import Verdict, validate_corpus

__all__ = ["Verdict", "validate_corpus"]
