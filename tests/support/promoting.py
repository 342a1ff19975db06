"""Promotions of a scored project's skip-gram: what tests of the gate ask for and look at."""

from __future__ import annotations

from tests.support.scored_project import GOOD, ScoredProject

from firth.registry.promote import Promotion, promote_all
from firth.tracking.store import Store

NAME = "word2vec-skipgram"
BETTER = GOOD | {"wordsim353": 0.55}
WORSE = GOOD | {"wordsim353": 0.45}


def promote(project: ScoredProject) -> Promotion:
    (promotion,) = promote_all(project.root, ["skipgram"])
    return promotion


def aliases(store: Store) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.client.get_registered_model(NAME).aliases.items()}
