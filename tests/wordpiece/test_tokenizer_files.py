"""Folders of tokenizers: written for transformers, read as others publish them, refused where they are not BERT's."""

import json
import shutil

import pytest

from firth.errors import DataError, FirthError, IntegrityError
from firth.wordpiece.library import Names
from firth.wordpiece.tokenizer import Tokenizer

PIECES = (
    "[unused0]", "the", "[MASK]", "cat", "##s", "[CLS]", "[PAD]", "[UNK]", "[SEP]", "été", "ete", "The", "中",
    "\u00a0", ".", "[", "]", "mask", "c", "##at",
)  # fmt: skip
TEXTS = ["The cats. été", "中中 [MASK] catsat", ""]


@pytest.fixture
def folder(tmp_path):
    Tokenizer(PIECES).save(tmp_path / "model", length=77)
    return tmp_path / "model"


def change(path, edit):
    value = json.loads(path.read_text(encoding="utf-8"))
    edit(value)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
@pytest.mark.parametrize("chinese", [True, False])
def test_what_is_saved_is_read_by_us_and_by_transformers(tmp_path, lowercase, strip_accents, chinese):
    from transformers import AutoTokenizer

    own = Tokenizer(PIECES, lowercase, strip_accents, chinese)
    own.save(tmp_path, length=77)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokenizer.json", "tokenizer_config.json", "vocab.txt"]
    again, theirs = Tokenizer.load(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert again.sha256 == own.sha256
    assert theirs.model_max_length == 77
    for text in TEXTS:
        assert again.encode(text).ids == own.encode(text).ids == theirs(text, split_special_tokens=True)["input_ids"]
        assert own.encode(text, "cat", mask_token=True).ids == theirs(text, "cat")["input_ids"]
        assert own.encode(text, "cat", mask_token=True).segments == theirs(text, "cat")["token_type_ids"]
    assert [theirs.convert_tokens_to_ids(name) for name in Names()] == [own.pad, own.unk, own.cls, own.sep, own.mask]
    assert theirs.mask_token_id == own.mask == 2


def test_the_same_tokenizer_is_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        Tokenizer(PIECES).save(tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("missing", [["vocab.txt"], ["tokenizer.json"], ["vocab.txt", "tokenizer_config.json"]])
def test_one_of_the_files_is_enough(folder, missing):
    for name in missing:
        (folder / name).unlink()
    assert Tokenizer.load(folder).sha256 == Tokenizer(PIECES).sha256


def test_windows_line_ends_are_line_ends(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes().replace(b"\n", b"\r\n"))
    assert Tokenizer.load(folder).vocabulary == PIECES


def test_accents_that_nobody_mentions_go_with_the_capitals(folder):
    for lowercase in (True, False):
        change(folder / "tokenizer_config.json", lambda config, low=lowercase: config.update(do_lower_case=low))
        change(folder / "tokenizer_config.json", lambda config: config.update(strip_accents=None))
        read = Tokenizer.load(folder)
        assert (read.lowercase, read.strip_accents) == (lowercase, lowercase)


def test_the_configuration_leads_where_it_speaks(folder):
    change(folder / "tokenizer.json", lambda whole: whole["normalizer"].update(strip_accents=None))
    change(
        folder / "tokenizer_config.json",
        lambda config: (config.pop("strip_accents"), config.update(do_lower_case=False)),
    )
    read = Tokenizer.load(folder)
    assert (read.lowercase, read.strip_accents) == (False, False)


def test_other_names_of_the_special_pieces(folder):
    from transformers import AutoTokenizer

    pieces = tuple({"[MASK]": "<mask>", "[PAD]": "<pad>"}.get(piece, piece) for piece in PIECES)
    shutil.rmtree(folder)
    own = Tokenizer(pieces, names=Names(pad="<pad>", mask="<mask>"))
    own.save(folder)
    change(
        folder / "tokenizer_config.json",
        lambda config: config.update(mask_token={"__type": "AddedToken", "content": "<mask>"}),
    )
    read, theirs = Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    assert (read.mask, read.pad, read.sha256) == (2, 6, own.sha256)
    assert (theirs.mask_token_id, theirs.pad_token_id) == (2, 6)
    assert read.encode("the <mask>", mask_token=True).ids == theirs("the <mask>")["input_ids"]


def test_a_special_token_behind_the_vocabulary_has_an_id(folder):
    def add(whole):
        whole["added_tokens"].append({"id": len(PIECES), "content": "[E1]", "special": True})

    change(folder / "tokenizer.json", add)
    read = Tokenizer.load(folder)
    assert read.vocabulary == (*PIECES, "[E1]")
    assert read.text(read.ids(["the [E1] cat"])[0]) == "the [ [UNK] ] cat"


def drop_key(key):
    return lambda config: config.pop(key)


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("tokenizer.json", lambda t: t["model"].update(type="BPE"), "kind 'BPE'"),
        ("tokenizer.json", lambda t: t["model"].update(continuing_subword_prefix="@@"), "BERT's is '##'"),
        ("tokenizer.json", lambda t: t["model"].update(max_input_chars_per_word=200), "BERT's is 100"),
        ("tokenizer.json", lambda t: t.update(normalizer={"type": "Lowercase"}), "Lowercase"),
        ("tokenizer.json", lambda t: t.update(normalizer=None), "normalisation"),
        ("tokenizer.json", lambda t: t.update(pre_tokenizer={"type": "Metaspace"}), "Metaspace"),
        ("tokenizer.json", lambda t: t["model"]["vocab"].pop("cat"), "gap or a repetition at 3"),
        ("tokenizer.json", lambda t: t["added_tokens"].append({"id": 20, "content": "new", "special": False}), "'new'"),
        ("tokenizer_config.json", lambda c: c.update(mask_token=None), "mask_token is None"),
        ("tokenizer_config.json", lambda c: c.update(mask_token="<mask>"), "no <mask>"),
    ],
)
def test_what_is_not_berts_is_refused_by_name(folder, file, edit, message):
    change(folder / file, edit)
    with pytest.raises(DataError, match=message) as caught:
        Tokenizer.load(folder)
    assert str(folder) in str(caught.value)


def test_files_that_contradict_each_other_are_refused(folder):
    change(folder / "tokenizer.json", lambda whole: whole["normalizer"].update(lowercase=False))
    assert Tokenizer.load(folder).lowercase  # the configuration says so, and transformers follows it
    change(folder / "tokenizer_config.json", drop_key("do_lower_case"))
    with pytest.raises(DataError, match=r"lowercase=false.*do_lower_case"):
        Tokenizer.load(folder)
    change(folder / "tokenizer_config.json", lambda config: config.update(tokenizer_class="PreTrainedTokenizerFast"))
    assert not Tokenizer.load(folder).lowercase
    (folder / "vocab.txt").write_text("\n".join(reversed(PIECES)) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"vocab\.txt.*tokenizer\.json"):
        Tokenizer.load(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a\nb\na\n", "line 3: the piece 'a'"),
        (b"a\n\nb\n", "line 2: an empty line"),
        (b"a\n\xff\n", "not valid UTF-8"),
        (b"a\nb\n", r"no \[PAD\]"),
    ],
)
def test_a_damaged_vocabulary_is_named(folder, text, message):
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_bytes(text)
    with pytest.raises(DataError, match=message):
        Tokenizer.load(folder)


def test_a_folder_without_a_tokenizer_is_named(folder):
    with pytest.raises(DataError, match="no such folder"):
        Tokenizer.load(folder / "nowhere")
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"neither vocab\.txt nor tokenizer\.json"):
        Tokenizer.load(folder)
    (folder / "tokenizer.json").write_text("[]")
    with pytest.raises(IntegrityError, match="not a JSON object"):
        Tokenizer.load(folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(FirthError, match="not valid JSON"):
        Tokenizer.load(folder)
