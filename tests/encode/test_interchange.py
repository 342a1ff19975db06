"""Both ways between our model and `transformers`: the same numbers, the same files, refusals by name."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from one_thread import one_thread  # noqa: F401
from safetensors.torch import load_file, save_file
from toy_bert import SENTENCES, toy_bert
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
    pipeline,
)

from firth.bert.folder import save
from firth.encode.interchange import read_hf, write_hf
from firth.encode.load import folder_digest, load_model
from firth.encode.use import encode, fill
from firth.errors import DataError, FirthError, IntegrityError
from firth.wordpiece.tokenizer import Tokenizer

SHAPES = [(1, 8, 2), (2, 32, 4), (3, 48, 1)]
"""Layers, hidden size, heads."""


def exported(folder, **shape):
    bert = toy_bert(**shape)
    write_hf(bert, folder)
    return bert


def their_model(kind=BertForPreTraining, layers=2, hidden=32, heads=4, scale=8.0, **more):
    """A model of theirs over the toy vocabulary, with random weights everywhere, biases and LayerNorm included."""
    torch.manual_seed(layers)
    config = BertConfig(
        vocab_size=len(toy_bert(layers=1).tokenizer),
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=3 * hidden,
        max_position_embeddings=40,
        **more,
    )
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * scale * torch.randn_like(parameter))
    return model


def saved(folder, model):
    """As a user would publish it: weights, configuration, tokenizer."""
    model.save_pretrained(folder)
    toy_bert(layers=1).tokenizer.save(folder)
    return folder


def inputs(padded):
    """(ids, segments, mask) of sentence pairs, from our tokenizer."""
    tokenizer = toy_bert(layers=1).tokenizer
    pairs = [tokenizer.encode(first, second, 24) for first, second in pairwise(SENTENCES)]
    if not padded:
        pairs = [pair for pair in pairs if len(pair.ids) == 24]
        assert len(pairs) >= 2
    longest = max(len(pair.ids) for pair in pairs)
    ids, segments = (
        torch.tensor([part + [0] * (longest - len(part)) for part in parts])
        for parts in ([pair.ids for pair in pairs], [pair.segments for pair in pairs])
    )
    mask = torch.tensor([[True] * len(pair.ids) + [False] * (longest - len(pair.ids)) for pair in pairs])
    assert mask.all() != padded
    return ids, segments, mask


@torch.no_grad()
def assert_same_logits(ours, theirs, padded):
    ids, segments, mask = inputs(padded)
    found = ours.model(ids, segments, mask if padded else None, torch.arange(ids.numel()))
    expected = theirs(input_ids=ids, token_type_ids=segments, attention_mask=mask.long() if padded else None)
    mlm = expected.prediction_logits.flatten(0, 1)
    assert mlm.std() > 0.1
    torch.testing.assert_close(found.mlm, mlm, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.nsp, expected.seq_relationship_logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("layers", "hidden", "heads"), SHAPES)
class TestLogits:
    def test_theirs_read_by_us(self, tmp_path, layers, hidden, heads, padded):
        theirs = their_model(layers=layers, hidden=hidden, heads=heads)
        ours = read_hf(saved(tmp_path / "hf", theirs))
        assert ours.heads == dict.fromkeys(("pooler", "mlm", "nsp"), "trained")
        assert_same_logits(ours, theirs, padded)

    def test_ours_read_by_them(self, tmp_path, layers, hidden, heads, padded):
        ours = exported(tmp_path / "hf", layers=layers, hidden=hidden, heads=heads)
        theirs, info = BertForPreTraining.from_pretrained(tmp_path / "hf", output_loading_info=True)
        assert not any(info.values()), info
        assert_same_logits(ours, theirs.eval(), padded)


def test_there_and_back_gives_the_same_bytes(tmp_path):
    exported(tmp_path / "hf")
    write_hf(read_hf(tmp_path / "hf"), tmp_path / "again")
    for name in ("config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "hf" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


@torch.no_grad()
def test_hidden_states_and_attention_are_theirs(tmp_path):
    theirs = their_model(BertModel, attn_implementation="eager")
    ours = read_hf(saved(tmp_path / "hf", theirs))
    ids, segments, mask = inputs(padded=True)
    expected = theirs(ids, mask.long(), segments, output_hidden_states=True, output_attentions=True)
    for found, wanted in (
        (ours.model.encoder.layers_of(ids, segments, mask), expected.hidden_states),
        (ours.model.encoder.attentions_of(ids, segments, mask), expected.attentions),
    ):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


class TestExport:
    def test_auto_classes_load_it_whole(self, tmp_path):
        exported(tmp_path / "hf")
        for auto, unexpected in (
            (AutoModelForPreTraining, ()),
            (AutoModelForMaskedLM, ("bert.pooler.", "cls.seq_relationship.")),
            (AutoModel, ("cls.",)),
        ):
            _, info = auto.from_pretrained(tmp_path / "hf", output_loading_info=True)
            assert not info["missing_keys"], auto
            assert not info["mismatched_keys"], auto
            strange = [name for name in info["unexpected_keys"] if not name.startswith(unexpected or ("none",))]
            assert not strange, auto

    def test_the_tokenizer_gives_our_ids(self, tmp_path):
        bert = exported(tmp_path / "hf")
        theirs = AutoTokenizer.from_pretrained(tmp_path / "hf")
        assert theirs.model_max_length == 48
        for first, second in pairwise(SENTENCES[:4]):
            ours = bert.tokenizer.encode(first, second)
            encoded = theirs(first, second)
            assert (encoded["input_ids"], encoded["token_type_ids"]) == (ours.ids, ours.segments)

    def test_special_pieces_may_stand_anywhere(self, tmp_path):
        bert = toy_bert()
        bert.tokenizer = Tokenizer(bert.tokenizer.vocabulary[::-1])
        write_hf(bert, tmp_path / "hf")
        last = len(bert.tokenizer) - 1
        assert json.loads((tmp_path / "hf" / "config.json").read_text())["pad_token_id"] == bert.tokenizer.pad == last
        assert AutoTokenizer.from_pretrained(tmp_path / "hf").pad_token_id == last
        back = load_model(tmp_path / "hf")
        np.testing.assert_array_equal(encode(back, SENTENCES), encode(bert, SENTENCES))

    def test_the_fill_mask_pipeline_says_what_we_say(self, tmp_path):
        bert = exported(tmp_path / "hf")
        text = "The [MASK] sat on the mat."
        theirs = pipeline("fill-mask", model=str(tmp_path / "hf"))(text, top_k=4)
        (ours,) = fill(bert, [text], top=4)[0]
        assert [bert.tokenizer.vocabulary[answer["token"]] for answer in theirs] == [piece for piece, _ in ours]
        assert [answer["score"] for answer in theirs] == pytest.approx([share for _, share in ours], abs=1e-5)

    @pytest.mark.parametrize(
        ("untrained", "kind"),
        [
            (("nsp",), BertForMaskedLM),
            (("pooler", "nsp"), BertForMaskedLM),
            (("mlm",), BertForNextSentencePrediction),
            (("mlm", "nsp"), BertModel),
            (("pooler", "mlm", "nsp"), BertModel),
        ],
    )
    def test_new_heads_stay_out(self, tmp_path, untrained, kind):
        bert = exported(tmp_path / "hf", untrained=untrained)
        assert json.loads((tmp_path / "hf" / "config.json").read_text())["architectures"] == [kind.__name__]
        _, info = kind.from_pretrained(tmp_path / "hf", output_loading_info=True)
        missing = {"pooler.dense.weight", "pooler.dense.bias"} if kind is BertModel and "pooler" in untrained else set()
        assert set(info["missing_keys"]) == missing
        back = read_hf(tmp_path / "hf")
        assert back.heads == bert.heads
        assert torch.equal(back.model.encoder.layers[1].output.weight, bert.model.encoder.layers[1].output.weight)

    def test_a_folder_that_holds_something_stays(self, tmp_path):
        (tmp_path / "note").write_text("mine")
        with pytest.raises(FirthError, match="holds something else"):
            write_hf(toy_bert(), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["note"]


class TestImport:
    def test_a_bare_encoder_gets_new_heads_and_says_so(self, tmp_path, capsys):
        bert = read_hf(saved(tmp_path / "hf", their_model(BertModel)), seed=3)
        assert bert.heads == {"pooler": "trained", "mlm": "new", "nsp": "new"}
        assert "no trained mlm, nsp: new, random weights" in capsys.readouterr().err
        again, other = read_hf(tmp_path / "hf", seed=3), read_hf(tmp_path / "hf", seed=4)
        assert torch.equal(bert.model.mlm.dense.weight, again.model.mlm.dense.weight)
        assert not torch.equal(bert.model.mlm.dense.weight, other.model.mlm.dense.weight)
        assert 0 < bert.model.nsp.weight.abs().max() <= 0.04
        assert (bert.model.mlm.norm.weight == 1).all()

    def test_an_encoder_goes_out_as_it_came_in(self, tmp_path):
        bert = read_hf(saved(tmp_path / "hf", their_model(BertModel)))
        save(tmp_path / "ours", bert)
        write_hf(load_model(tmp_path / "ours"), tmp_path / "out")
        before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("hf", "out"))
        assert before.keys() == after.keys()
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())

    @pytest.mark.parametrize(("kind", "heads"), [
        (BertForMaskedLM, ("new", "trained", "new")),
        (BertForNextSentencePrediction, ("trained", "new", "trained")),
        (BertForSequenceClassification, ("trained", "new", "new")),
    ])  # fmt: skip
    def test_other_classes(self, tmp_path, capsys, kind, heads):
        theirs = their_model(kind)
        bert = read_hf(saved(tmp_path / "hf", theirs))
        assert (bert.heads["pooler"], bert.heads["mlm"], bert.heads["nsp"]) == heads
        assert torch.equal(
            bert.model.encoder.embeddings.positions.weight, theirs.bert.embeddings.position_embeddings.weight
        )
        said = capsys.readouterr().err
        assert ("left out, heads of other tasks: classifier.bias, classifier.weight" in said) == (
            kind is BertForSequenceClassification
        )

    def test_old_names_are_read(self, tmp_path):
        theirs = their_model()
        weights = load_file(saved(tmp_path / "hf", theirs) / "model.safetensors")
        old = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in weights.items()
        }
        assert old.keys() != weights.keys()
        old["bert.embeddings.position_ids"] = torch.arange(40)[None]
        old["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"].clone()
        save_file(old, tmp_path / "hf" / "model.safetensors")
        assert_same_logits(read_hf(tmp_path / "hf"), theirs, padded=True)

    def test_several_files_are_read(self, tmp_path):
        theirs = their_model()
        theirs.save_pretrained(tmp_path / "hf", max_shard_size="40KB")
        toy_bert(layers=1).tokenizer.save(tmp_path / "hf")
        assert len(list((tmp_path / "hf").glob("*.safetensors"))) > 1
        assert_same_logits(load_model(tmp_path / "hf"), theirs, padded=False)
        digest = folder_digest(tmp_path / "hf")
        one = next(iter(sorted((tmp_path / "hf").glob("*.safetensors"))))
        save_file({name: tensor + 1 for name, tensor in load_file(one).items()}, one)
        assert folder_digest(tmp_path / "hf") != digest
        one.unlink()
        with pytest.raises(IntegrityError, match="no such file"):
            read_hf(tmp_path / "hf")

    def test_an_index_cannot_point_elsewhere(self, tmp_path, change_json):
        folder = saved(tmp_path / "hf", their_model())
        (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"x": "../outside.safetensors"}})
        )
        with pytest.raises(DataError, match=r"names '\.\./outside\.safetensors'"):
            read_hf(folder)

    def test_half_precision_is_widened(self, tmp_path):
        theirs = their_model().to(torch.bfloat16)
        bert = read_hf(saved(tmp_path / "hf", theirs))
        assert {parameter.dtype for parameter in bert.model.parameters()} == {torch.float32}
        assert torch.equal(bert.model.nsp.weight, theirs.cls.seq_relationship.weight.float())

    def test_two_dropouts_are_told(self, tmp_path, capsys):
        read_hf(saved(tmp_path / "hf", their_model(attention_probs_dropout_prob=0.0)))
        assert "attention_probs_dropout_prob is 0.0; further training here drops" in capsys.readouterr().err


@pytest.fixture
def theirs_saved(tmp_path):
    return saved(tmp_path / "hf", their_model())


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({"model_type": "roberta"}, "model_type is 'roberta'"),
            ({"model_type": None}, "model_type is None"),
            ({"hidden_act": "relu"}, "hidden_act is 'relu'"),
            ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'"),
            ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
            ({"is_decoder": True}, "is_decoder is True"),
            ({"add_cross_attention": True}, "add_cross_attention is True"),
            ({"num_hidden_layers": None}, "does not say num_hidden_layers"),
            ({"num_attention_heads": 5}, "multiple of heads"),
            ({"hidden_dropout_prob": "x"}, "not supported|must be"),
        ],
    )
    def test_by_configuration(self, theirs_saved, change_json, changed, named):
        change_json(theirs_saved / "config.json", **changed)
        with pytest.raises(DataError, match=rf"config\.json: .*{named}"):
            read_hf(theirs_saved)

    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({"num_hidden_layers": 3}, r"encoder\.layers\.2\.\S+ is missing"),
            ({"num_hidden_layers": 1}, r"encoder\.layer\.1\.\S+ is no tensor of BERT"),
            ({"vocab_size": 100}, "pieces, the model embeddings for 100"),
            ({"intermediate_size": 7}, r"intermediate\.weight has the shape"),
        ],
    )
    def test_by_weights(self, theirs_saved, change_json, changed, named):
        change_json(theirs_saved / "config.json", **changed)
        with pytest.raises(IntegrityError, match=named):
            read_hf(theirs_saved)

    def test_an_untied_decoder(self, theirs_saved):
        weights = load_file(theirs_saved / "model.safetensors")
        weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"] + 1
        save_file(weights, theirs_saved / "model.safetensors")
        with pytest.raises(DataError, match="decoder is tied"):
            read_hf(theirs_saved)

    def test_half_a_head(self, theirs_saved):
        weights = load_file(theirs_saved / "model.safetensors")
        del weights["cls.predictions.bias"]
        save_file(weights, theirs_saved / "model.safetensors")
        with pytest.raises(IntegrityError, match=r"cls\.predictions\.bias is missing, although"):
            read_hf(theirs_saved)

    def test_a_name_twice(self, theirs_saved):
        weights = load_file(theirs_saved / "model.safetensors")
        weights["pooler.dense.bias"] = weights["bert.pooler.dense.bias"].clone()
        save_file(weights, theirs_saved / "model.safetensors")
        with pytest.raises(IntegrityError, match=r"pooler\.dense\.bias is there twice"):
            read_hf(theirs_saved)

    def test_a_pickle_is_never_opened(self, theirs_saved):
        (theirs_saved / "model.safetensors").unlink()
        torch.save({}, theirs_saved / "pytorch_model.bin")
        with pytest.raises(DataError, match=r"pickle.*convert it: python -c .*save_pretrained"):
            read_hf(theirs_saved)
        (theirs_saved / "pytorch_model.bin").unlink()
        with pytest.raises(DataError, match=r"has no model\.safetensors"):
            read_hf(theirs_saved)

    def test_no_model_at_all(self, tmp_path):
        with pytest.raises(DataError, match=r"it has no config\.json"):
            load_model(tmp_path)
        shutil.rmtree(tmp_path)
        with pytest.raises(DataError, match=r"it has no config\.json"):
            load_model(tmp_path)


def test_a_folder_is_told_apart_by_its_configuration(tmp_path):
    bert = toy_bert()
    save(tmp_path / "ours", bert)
    write_hf(bert, tmp_path / "theirs")
    ours, theirs = load_model(tmp_path / "ours"), load_model(tmp_path / "theirs")
    state = theirs.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in ours.model.state_dict().items())
    assert folder_digest(tmp_path / "ours") != folder_digest(tmp_path / "theirs"), "the names differ"
