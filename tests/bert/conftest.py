import pytest
from fable_training import unwatched
from fables import fable_store, small_training

from firth.bert.pretraining.train import pretrain


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return fable_store(tmp_path_factory.mktemp("pieces"))


@pytest.fixture(scope="session")
def settings():
    return small_training(micro_batch=4)


@pytest.fixture(scope="session")
def unbroken(store, settings, tmp_path_factory):
    return pretrain(store, settings, tmp_path_factory.mktemp("run"), unwatched)
