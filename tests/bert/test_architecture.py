"""Sizes and their exact parameter counts."""

import pytest
import torch

from firth.bert.architecture import SIZES, Architecture
from firth.bert.model import Pretraining
from firth.errors import ConfigError

COUNTS = {
    "tiny": 4_433_468,
    "mini": 11_267_900,
    "small": 29_058_876,
    "medium": 41_668_412,
    "base": 110_106_428,
    "large": 336_226_108,
}
"""Of the pretraining model with the published vocabulary of 30,522 pieces and 512 positions."""


@pytest.mark.parametrize("size", SIZES)
def test_a_size_has_its_count(size):
    architecture = Architecture.of(size, 30_522)
    with torch.device("meta"):
        model = Pretraining(architecture)
    assert architecture.parameters() == sum(weight.numel() for weight in model.parameters()) == COUNTS[size]


@pytest.mark.parametrize("size", SIZES)
def test_transformers_counts_the_same(size):
    from transformers import BertConfig, BertForPreTraining

    ours = Architecture.of(size, 30_522)
    config = BertConfig(
        hidden_size=ours.hidden,
        num_hidden_layers=ours.layers,
        num_attention_heads=ours.heads,
        intermediate_size=ours.intermediate,
    )
    with torch.device("meta"):
        theirs = BertForPreTraining(config)
    assert theirs.num_parameters() == ours.parameters()


def test_base_is_the_papers_110_million():
    with torch.device("meta"):
        model = Pretraining(Architecture.of("base", 30_522))
    encoder = sum(weight.numel() for part in (model.encoder, model.pooler) for weight in part.parameters())
    assert encoder == 109_482_240


@pytest.mark.parametrize(
    "shape", [Architecture(97, 1, 24, 3, 40, 17, segments=3), Architecture(1, 3, 8, 8, 1, 1, segments=1)]
)
def test_odd_shapes_are_counted_exactly(shape):
    assert shape.parameters() == sum(weight.numel() for weight in Pretraining(shape).parameters())


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"heads": 5}, "multiple of heads"),
        ({"layers": 0}, "layers is 0"),
        ({"vocabulary": 10.5}, "vocabulary is 10.5"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"epsilon": 0.0}, "epsilon is 0.0"),
    ],
)
def test_impossible_numbers_are_named(changed, named):
    given = {"vocabulary": 10, "layers": 1, "hidden": 8, "heads": 2, "intermediate": 8, "positions": 4} | changed
    with pytest.raises(ConfigError, match=named):
        Architecture(**given)


def test_an_unknown_size_names_the_sizes():
    with pytest.raises(ConfigError, match="tiny, mini, small, medium, base, large"):
        Architecture.of("huge", 100)
