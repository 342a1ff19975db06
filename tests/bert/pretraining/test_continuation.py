import numpy as np
import pytest
import torch
from fable_training import same, unwatched
from fables import fable_store, fables, small_training, tokenizer
from killing import Killed

from firth.bert.architecture import Architecture
from firth.bert.folder import Bert
from firth.bert.model import Pretraining, initialise
from firth.bert.pretraining.continuation import first_weights, split_piece, trained_heads
from firth.bert.pretraining.train import pretrain
from firth.config.bert import Tokenize
from firth.errors import ConfigError
from firth.wordpiece.store import TokenStore, build_store
from firth.wordpiece.tokenizer import Tokenizer

NEW = {"pooler": "new", "mlm": "new", "nsp": "new"}


def model_of(own, positions=64, heads=None):
    model = Pretraining(Architecture(len(own), layers=1, hidden=64, heads=2, intermediate=96, positions=positions))
    initialise(model, 9)
    with torch.no_grad():
        model.mlm.bias.uniform_()
    return Bert(model, own, heads or NEW)


def test_new_weights_are_those_of_the_size_and_the_seed():
    own = tokenizer()
    one, same, other = (first_weights(small_training(seed=seed), own, None) for seed in (1, 1, 2))
    assert one.architecture == Architecture.of("tiny", len(own), 64, 0.1)
    assert torch.equal(one.nsp.weight, same.nsp.weight)
    assert not torch.equal(one.nsp.weight, other.nsp.weight)


def test_the_other_models_size_wins_and_is_said(capfd):
    init = model_of(tokenizer())
    model = first_weights(small_training(dropout=0.0), init.tokenizer, init)
    assert (model.architecture.layers, model.architecture.hidden, model.architecture.dropout) == (1, 64, 0.0)
    for name, tensor in init.model.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert "1 layers of 64" in capfd.readouterr().err


def test_added_pieces_start_from_the_mean_of_their_parts(capfd):
    init = model_of(tokenizer())
    ids = {piece: number for number, piece in enumerate(init.tokenizer.vocabulary)}
    extended = Tokenizer([*init.tokenizer.vocabulary, "foxglove", "##hood", "£5"])
    model = first_weights(small_training(), extended, init)
    known = len(init.tokenizer)
    parts = [["fox", "##g", "##l", "##o", "##v", "##e"], ["##h", "##o", "##o", "##d"], ["[UNK]"]]
    for row, pieces in enumerate(parts):
        rows = [ids[piece] for piece in pieces]
        old, bias = init.model.encoder.embeddings.tokens.weight, init.model.mlm.bias
        torch.testing.assert_close(model.encoder.embeddings.tokens.weight[known + row], old[rows].mean(dim=0))
        torch.testing.assert_close(model.mlm.bias[known + row], bias[rows].mean())
    torch.testing.assert_close(model.encoder.embeddings.tokens.weight[:known], old)
    assert "3 new pieces" in capfd.readouterr().err
    assert split_piece("fox", ids, 1) == [ids["fox"]]


def test_fewer_positions_are_cut_and_more_are_refused(capfd):
    own = tokenizer()
    longer = first_weights(small_training(), own, init := model_of(own, positions=100))
    assert longer.architecture.positions == 64
    position = "encoder.embeddings.positions.weight"
    assert torch.equal(longer.state_dict()[position], init.model.state_dict()[position][:64])
    assert "last 36 of its 100 positions" in capfd.readouterr().err
    with pytest.raises(ConfigError, match=r"bert\.positions is 64.*embeddings for 50"):
        first_weights(small_training(), own, model_of(own, positions=50))


def test_another_vocabulary_or_other_settings_are_refused():
    own = tokenizer()
    swapped = list(own.vocabulary)
    swapped[-1], swapped[-2] = swapped[-2], swapped[-1]
    with pytest.raises(ConfigError, match=r"are not the first ones.*wordpiece\.base"):
        first_weights(small_training(), Tokenizer(swapped), model_of(own))
    with pytest.raises(ConfigError, match=r"lowercase False.*wordpiece\.lowercase to true"):
        first_weights(small_training(), Tokenizer(own.vocabulary, lowercase=False), model_of(own))


def test_heads_stay_trained_and_become_so():
    trained = {"pooler": "trained", "mlm": "trained", "nsp": "trained"}
    assert trained_heads(small_training(), None) == trained
    alone = small_training(next_sentence=False)
    assert trained_heads(alone, None) == {"pooler": "new", "mlm": "trained", "nsp": "new"}
    assert trained_heads(alone, model_of(tokenizer(), heads=trained)) == trained


def test_a_training_goes_on_from_a_model_with_an_extended_vocabulary(tmp_path):
    first = pretrain(fable_store(tmp_path / "s"), small_training(steps=12), tmp_path / "r", lambda *_: None).bert
    extended = Tokenizer([*first.tokenizer.vocabulary, "ripe", "gnawed"])
    build_store(fables()[:9], fables()[9:], extended, Tokenize(shuffle=False), tmp_path / "e")
    store = TokenStore.open(tmp_path / "e")
    settings = small_training(steps=12, init="a", init_sha256="a" * 64)

    def losses(init):
        trained = pretrain(store, settings, tmp_path / str(init is None), lambda *_: None, init)
        return trained.history[0]["mlm_loss"], trained.bert

    (fresh, _), (onward, bert) = losses(None), losses(first)
    assert onward < fresh - 0.2
    assert bert.model.architecture.vocabulary == len(first.tokenizer) + 2
    assert bert.tokenizer is store.tokenizer


def test_broken_off_it_goes_on_in_the_other_models_architecture_to_the_same_bytes(tmp_path, capfd):
    """The first model is smaller than `bert.size`, reads more positions and has fewer pieces."""
    own = tokenizer()
    init, extended = model_of(own, positions=100), Tokenizer([*own.vocabulary, "ripe", "gnawed"])
    build_store(fables()[:9], fables()[9:], extended, Tokenize(shuffle=False), tmp_path / "e")
    store, settings = TokenStore.open(tmp_path / "e"), small_training(init="a", init_sha256="a" * 64)
    unbroken = pretrain(store, settings, tmp_path / "whole", unwatched, init)
    assert unbroken.bert.model.architecture == Architecture(len(extended), 1, 64, 2, 96, 64)

    def killer(step, _metrics):
        if step == 10:
            raise Killed

    with pytest.raises(Killed):
        pretrain(store, settings, tmp_path / "run", killer, init)
    capfd.readouterr()
    same(pretrain(store, settings, tmp_path / "run", unwatched, init), unbroken)
    said = capfd.readouterr().err
    assert "goes on from its checkpoint at step 9 of 20" in said
    assert "goes on from another model" not in said


def test_the_bias_starts_at_the_frequencies_where_that_is_asked_for():
    own = tokenizer()
    counts = np.arange(len(own), dtype=np.int64) ** 2
    plain = first_weights(small_training(), own, None, counts)
    assert not plain.mlm.bias.any()
    biased = first_weights(small_training(frequency_bias=True), own, None, counts)
    expected = (counts + 1) / (counts + 1).sum()
    assert np.allclose(biased.mlm.bias.detach().exp().numpy(), expected, rtol=1e-4)
    for name, parameter in plain.named_parameters():
        assert name == "mlm.bias" or torch.equal(parameter, biased.get_parameter(name))
