"""Documents into a clean corpus: repaired, split into sentences, without duplicates, with documents held out."""

from firth.corpus.prepare.build import prepare

__all__ = ["prepare"]
