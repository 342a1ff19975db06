"""Model folders: what is written comes back; what does not fit is refused by name."""

import json

import pytest
import torch
from damage import tear
from one_thread import one_thread  # noqa: F401
from safetensors.torch import load_file, save_file
from toy_bert import PIECES, SENTENCES, toy_bert

from firth.bert import folder as folders
from firth.bert.folder import Bert, load, save
from firth.canonical import folder_sha256
from firth.errors import DataError, FirthError, IntegrityError
from firth.wordpiece.tokenizer import Tokenizer


@pytest.fixture
def saved(tmp_path):
    save(tmp_path / "model", toy_bert(untrained=("nsp",)))
    return tmp_path / "model"


def test_what_is_written_comes_back(saved):
    written, read = toy_bert(untrained=("nsp",)), load(saved)
    assert read.model.architecture == written.model.architecture
    assert read.heads == {"pooler": "trained", "mlm": "trained", "nsp": "new"}
    assert read.tokenizer.ids(SENTENCES) == written.tokenizer.ids(SENTENCES)
    theirs = read.model.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in written.model.state_dict().items())
    assert not read.model.training
    assert all(parameter.requires_grad for parameter in read.model.parameters())


def test_the_same_model_is_the_same_bytes(saved, tmp_path):
    save(tmp_path / "again", load(saved))
    assert folder_sha256(saved) == folder_sha256(tmp_path / "again")
    assert sorted(path.name for path in saved.iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
    ]  # fmt: skip
    assert json.loads((saved / "config.json").read_text())["format"] == "firth-bert"


def test_a_loaded_model_can_be_trained(saved):
    model = load(saved).model.train()
    before = model.nsp.weight.detach().clone()
    model(torch.tensor([[2, 7, 3]]), None, None, torch.tensor([1])).nsp.sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert not torch.equal(before, model.nsp.weight)
    assert torch.equal(load(saved).model.nsp.weight, before), "the file is not written through"


def test_a_model_folder_is_replaced_and_nothing_else(saved, tmp_path):
    (saved / "training.json").write_text("{}")
    save(saved, toy_bert(seed=2))
    assert load(saved).heads["nsp"] == "trained"
    assert not (saved / "training.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    with pytest.raises(FirthError, match="holds something else"):
        save(precious, toy_bert())
    assert (precious / "thesis.txt").read_text() == "all of it"


def test_a_failed_write_leaves_the_old_model(saved, tmp_path, monkeypatch):
    before = folder_sha256(saved)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Tokenizer, "save", full)
    with pytest.raises(FirthError, match=r"model: cannot be written \(No space left"):
        save(saved, toy_bert(seed=2))
    assert folder_sha256(saved) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_an_interrupted_exchange_brings_the_old_model_back(saved, tmp_path, monkeypatch):
    before = folder_sha256(saved)
    plain = type(saved).rename

    def rename(self, target):
        if self.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return plain(self, target)

    monkeypatch.setattr(type(saved), "rename", rename)
    with pytest.raises(FirthError, match="cannot be written"):
        save(saved, toy_bert(seed=2))
    assert folder_sha256(saved) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_place_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FirthError, match="cannot be written"):
        save(tmp_path / "file" / "model", toy_bert())


def test_no_model_folder(tmp_path):
    with pytest.raises(DataError, match=r"not a model folder: it has no config\.json"):
        load(tmp_path)


def test_another_format_is_named(saved):
    change_config(saved, lambda config: config.update(format="firth-bert-2"))
    with pytest.raises(DataError, match="format is 'firth-bert-2', not 'firth-bert'"):
        load(saved)
    (saved / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(DataError, match="format is None"):
        load(saved)
    (saved / "config.json").write_text("{")
    with pytest.raises(IntegrityError, match="not valid JSON"):
        load(saved)


def test_a_wrong_configuration_is_named(saved):
    change_config(saved, lambda config: config["architecture"].update(heads=5))
    with pytest.raises(DataError, match=r"config\.json: .*multiple of heads"):
        load(saved)
    change_config(saved, lambda config: config["architecture"].pop("heads"))
    with pytest.raises(DataError, match="exactly the keys"):
        load(saved)


def test_heads_are_told(saved):
    change_config(saved, lambda config: config["heads"].update(mlm="perhaps"))
    with pytest.raises(DataError, match="heads must say"):
        load(saved)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda weights: weights.pop("nsp.bias"), r"the tensor nsp\.bias is missing"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "extra is no tensor"),
        (
            lambda weights: weights.update({"encoder.layers.1.output.weight": torch.zeros(32, 65)}),
            r"encoder\.layers\.1\.output\.weight has the shape \(32, 65\), .* \(32, 64\)",
        ),
        (lambda weights: weights.update({"nsp.bias": torch.zeros(2, dtype=torch.int8)}), "not floating-point"),
    ],
)
def test_tensors_that_do_not_fit_are_named(saved, change, named):
    weights = load_file(saved / "model.safetensors")
    change(weights)
    save_file(weights, saved / "model.safetensors")
    with pytest.raises(IntegrityError, match=named):
        load(saved)


def test_torn_weights_are_named(saved):
    path = saved / "model.safetensors"
    tear(path)
    with pytest.raises(IntegrityError, match="torn or not safetensors"):
        load(saved)
    path.unlink()
    with pytest.raises(IntegrityError, match="no such file"):
        load(saved)


def test_a_tokenizer_of_another_size_is_refused(saved, tmp_path):
    other = Tokenizer((*PIECES, "more"))
    other.save(saved)
    with pytest.raises(IntegrityError, match=f"tokenizer has {len(PIECES) + 1} pieces, .* for {len(PIECES)}"):
        load(saved)
    model = toy_bert()
    with pytest.raises(IntegrityError, match="pieces"):
        save(tmp_path / "new", Bert(model.model, other, model.heads))
    assert not (tmp_path / "new").exists()


def test_is_model_folder(saved, tmp_path):
    assert folders.is_model_folder(saved)
    assert not folders.is_model_folder(tmp_path)


def change_config(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
