"""A model that was trained from left to right says so, and its held-out score is compared with none of a masked one."""

from firth.config.bert import Bert
from firth.registry.card import card
from firth.registry.footprint import Footprint
from firth.tracking.evidence import heldout_conditions

STORE = {"tokenizer": {"sha256": "a" * 64}, "files": {"heldout/shard-00000.ids": {"sha256": "b" * 64}}}


def card_of(objective: str) -> str:
    params = Bert(objective=objective).model_dump()  # type: ignore[arg-type]
    told = {"corpora": {}, "init_sha256": None, "suites": {}, "cost": Footprint(1.0), "verdict": "refused"}
    return card("bert", params=params, **told, reasons=())  # type: ignore[arg-type]


def test_its_card_says_what_it_is_not_good_for() -> None:
    assert "fill-mask answers and vectors mean little" in card_of("left_to_right")
    assert "objective left_to_right" in card_of("left_to_right")
    assert "mean little" not in card_of("masked")


def test_its_held_out_loss_is_another_measure() -> None:
    masked, other = (Bert(objective=name).model_dump() for name in ("masked", "left_to_right"))  # type: ignore[arg-type]
    before_there_were_objectives = {key: value for key, value in masked.items() if key != "objective"}
    assert heldout_conditions(masked, STORE) == heldout_conditions(before_there_were_objectives, STORE)
    assert heldout_conditions(masked, STORE) != heldout_conditions(other, STORE)
