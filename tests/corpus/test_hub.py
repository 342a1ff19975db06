"""The hub source, with rows in place of the hub; and the real library's answer without a network."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from firth.config.corpora import HubSource
from firth.corpus.sources import open_source
from firth.errors import DataError, FirthError

ROWS = [{"title": "A", "text": "one"}, {"title": None, "text": None}, {"title": "C", "text": "three"}]


def hub(**fields) -> HubSource:
    return HubSource(kind="hub", licence="CC0", attribution="t", dataset="a/b", revision="abc", **fields)


def test_rows_are_streamed_at_the_pinned_revision(project: Path, monkeypatch):
    asked = []

    def load_dataset(*names, **options):
        asked.append((names, options))
        return datasets.Dataset.from_list(ROWS).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    opened = open_source("web", hub(subset="en", title_field="title"))
    assert [(d.title, d.text, d.locator) for d in opened.documents] == [("A", "one", "a/b:0"), ("C", "three", "a/b:2")]
    assert asked == [(("a/b", "en"), {"split": "train", "revision": "abc", "streaming": True})]
    assert opened.drops.by_reason() == [{"reason": "no text (null)", "documents": 1, "example": "a/b:1"}]
    assert len(list(open_source("web", hub(max_documents=1)).documents)) == 1
    with pytest.raises(DataError, match=r"a/b: no column 'body'; there are: title, text"):
        list(open_source("web", hub(text_field="body")).documents)


def test_a_data_set_that_the_hub_does_not_give(project: Path, monkeypatch):
    def load_dataset(*_, **__):
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(FirthError, match=r"a/b: the hub does not give this data set: Dataset 'a/b' doesn't exist"):
        list(open_source("web", hub()).documents)


def test_offline_is_one_clear_error(project: Path, monkeypatch):
    # The library's own offline switch stands for a missing network, which takes it half a minute of retries to see.
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FirthError, match=r"a/b: the Hugging Face hub cannot be reached \(.*use a files or package"):
        list(open_source("web", hub()).documents)
