"""Real English text that every Python has: the topics of `help()`, as paragraphs."""

import pydoc_data.topics

import pytest


@pytest.fixture(scope="session")
def paragraphs():
    """About 60,000 words in some thousand paragraphs."""
    topics = pydoc_data.topics.topics
    found = [part for name in sorted(topics) for part in topics[name].split("\n\n")]
    assert len(found) > 1000
    return found
