"""BERT in the registry, as word vectors are: evidence, refusal, promotion, rollback, lineage, one's own task."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from scored_project import DVC, TASK, ScoredProject

from firth.errors import DataError, FirthError, IntegrityError
from firth.registry.promote import Promotion, promote_all
from firth.registry.rollback import rollback
from firth.registry.show import ModelsTable, decisions_table, registered
from firth.registry.versions import all_versions, fetch_model, fetch_vectors, scores_of
from firth.tracking.lineage import lineage
from firth.tracking.store import Store, open_store
from firth.tracking.trained import weights_sha256

OWN_TASK = (
    "gate.bert.suites={mlm: {minimum: 0.4, max_loss: 0.02}, mood: {minimum: 0.0, max_loss: 1.0}}",
    "gate.bert.decisive=mood",
)


def promote(project: ScoredProject) -> Promotion:
    (promotion,) = promote_all(project.root, ["bert"])
    return promotion


def aliases(store: Store) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.client.get_registered_model("bert").aliases.items()}


def text(renderable: object, width: int = 400) -> str:
    console = Console(width=width, record=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.mark.slow
def test_first_worse_better_back_and_unchanged(project: ScoredProject) -> None:
    project.pretrain(1, gain=0.5)
    first = promote(project)
    assert (first.name, first.version, first.champion, first.decision.verdict) == ("bert", "1", "1", "promoted")

    project.pretrain(2, gain=0.45)
    worse = promote(project)
    assert (worse.decision.verdict, worse.champion) == ("refused", "1")
    assert "mlm fell from 0.5000 to 0.4500, by more than the allowed 0.0200" in worse.decision.reasons

    project.pretrain(3, gain=0.55)
    better = promote(project)
    assert (better.decision.verdict, better.champion, better.previous) == ("promoted", "3", "1")
    assert promote(project).decision.reasons == ("version 3 has these very weights",)

    store = open_store(project.root)
    assert (rollback("bert").champion, aliases(store)["previous"]) == ("1", "3")
    assert "version 3 was rolled back" in promote(project).decision.reasons[0]
    rollback("bert")
    assert aliases(store) == {"challenger": "3", "champion": "3", "previous": "1"}
    assert len(all_versions(store, "bert")) == 3
    assert "refused" in text(ModelsTable(registered()))


def test_what_is_stored_is_the_model_folder_and_says_where_it_comes_from(project: ScoredProject) -> None:
    from firth.encode.load import load_model

    project.pretrain(1)
    project.examples()
    project.measure(bert=0.55)
    promotion = promote(project)
    folder = fetch_model("bert@champion", project.root)
    own = project.root / "data" / "models" / "bert"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in own.iterdir()
    }
    assert load_model(folder).model.architecture.hidden == 16
    stored = list((project.root / ".firth" / "mlflow" / "artifacts").rglob("*.safetensors"))
    assert len(stored) == 1, "the weights are kept once"

    found = lineage("bert@champion")
    assert found.weights_sha256 == weights_sha256(project.root, "bert")
    assert found.stages["tokenize"] == {"data/tokens/pieces": DVC["data/tokens/pieces"]}
    assert set(found.stages) == {"ingest@news", "validate@news", "prepare", "wordpiece", "tokenize", "bert"}
    assert found.stages["bert"] == {"data/models/bert": DVC["data/models/bert"]}
    assert found.conditions["mlm"]["tokenizer"] == load_model(folder).tokenizer.sha256
    shown = text(found.render())
    assert "mlm 0.5000, on 640" in shown
    assert "held-out text sha256: " in shown

    version = open_store(project.root).client.get_model_version("bert", "1")
    card = version.description
    for part in (
        "BERT: size tiny, length 32",
        "nats below word frequencies, on 640",
        "one seed, a tie with the majority",
    ):
        assert part in card
    assert "mlm" in text(decisions_table([promotion]), width=100)
    assert "@champion" in text(ModelsTable(registered()), width=100)


def test_a_model_that_went_on_from_another_says_from_which(project: ScoredProject) -> None:
    project.pretrain(1, init="c" * 64)
    promote(project)
    assert lineage("bert/1").init_sha256 == "c" * 64
    assert f"went on from weights sha256 {'c' * 64}" in text(lineage("bert/1").render())
    assert "c" * 64 in open_store(project.root).client.get_model_version("bert", "1").description


def test_without_held_out_text_there_is_no_evidence(project: ScoredProject) -> None:
    project.pretrain(1, gain=None)
    refused = promote(project)
    assert refused.decision.reasons == ("mlm was not measured",)
    assert "not measured" in text(lineage("bert@challenger").render())


def test_word_vectors_and_bert_are_told_apart(project: ScoredProject) -> None:
    project.pretrain(1)
    promote(project)
    with pytest.raises(FirthError, match="bert@champion holds a BERT, not word vectors"):
        fetch_vectors("bert@champion", project.root)
    project.train("skipgram", 1)
    promote_all(project.root, ["skipgram"])
    with pytest.raises(FirthError, match="holds word vectors, not a BERT"):
        fetch_model("skipgram@champion", project.root)
    shown = text(ModelsTable(registered()), width=100)
    (first, second) = shown.index("wordsim353"), shown.index("mlm")
    assert "wordsim353" not in shown[second:] if first < second else "mlm" not in shown[first:]


def test_models_without_evidence_are_not_registered(project: ScoredProject) -> None:
    with pytest.raises(DataError, match="no trained model; run the stage bert first"):
        promote(project)
    project.pretrain(1)
    project.change(*OWN_TASK)
    with pytest.raises(DataError, match=r"no score on mood; run the stage tasks@mood first"):
        promote(project)
    project.examples()
    project.measure(bert=0.7)
    project.pretrain(2)
    with pytest.raises(DataError, match="no score on mood"):
        promote(project)  # those are scores of other weights
    (project.root / "data" / "tokens" / "pieces" / "manifest.json").write_text('{"files": {}}')
    project.change("gate.bert.suites={mlm: {minimum: 0.4}}", "gate.bert.decisive=mlm")
    with pytest.raises(DataError, match="no score on mlm; run the stage bert first"):
        promote(project)  # this is not the store that it was trained on


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_files_altered_in_the_store_never_become_champion(project: ScoredProject, name: str) -> None:
    project.pretrain(1)
    promote(project)
    project.pretrain(2, gain=0.45)
    promote(project)
    for path in (project.root / ".firth" / "mlflow" / "artifacts").rglob(name):
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    project.pretrain(2, gain=0.6)
    with pytest.raises(IntegrityError, match="version 2: the stored"):
        promote(project)
    assert aliases(open_store(project.root))["champion"] == "1"


@pytest.mark.slow
def test_another_vocabulary_needs_a_task_to_decide(project: ScoredProject) -> None:
    """One's own examples decide between models whose losses cannot be compared; the champion is scored on them anew."""
    project.examples()
    project.pretrain(1, gain=0.5)
    promote(project)
    project.pretrain(2, gain=0.9, pieces=40)
    project.measure(bert=1.0)
    refused = promote(project)
    assert "mlm decides and cannot be compared with the champion's (other: vocabulary)" in refused.decision.reasons[0]
    assert "not comparable" in text(decisions_table([refused]))

    project.change(*OWN_TASK)
    promoted = promote(project)
    assert (promoted.decision.verdict, promoted.champion) == ("promoted", "2")
    (mlm, mood) = promoted.decision.numbers
    assert (mlm.other, mood.other) == ("vocabulary", "")
    store = open_store(project.root)
    champion = scores_of(store.client.get_model_version("bert", "1"))
    assert champion.value(TASK) == mood.champion, "measured with the stored weights, on the examples of today"
    assert 0 <= mood.champion < 1.0

    project.pretrain(3, gain=0.95, pieces=40)
    project.measure(bert=0.99)
    assert "mood changed by -0.0100 (1.0000 to 0.9900)" in promote(project).decision.reasons[0]


@pytest.mark.slow
def test_word_vectors_can_be_judged_on_a_task(project: ScoredProject) -> None:
    project.examples()
    project.train("skipgram", 1)
    project.measure(skipgram=0.5)
    promote_all(project.root, ["skipgram"])
    project.change("gate.word2vec.suites={mood: {minimum: 0.0, max_loss: 1.0}}", "gate.word2vec.decisive=mood")
    project.examples(seed=2)
    project.train("skipgram", 2)
    project.measure(skipgram=1.0)
    (decided,) = promote_all(project.root, ["skipgram"])
    assert decided.decision.verdict == "promoted"
    (mood,) = decided.decision.numbers
    assert mood.champion != 0.5, "the champion's score was on other examples"
    project.examples(seed=3)
    project.train("skipgram", 3)
    with pytest.raises(DataError, match="no score on mood"):
        promote_all(project.root, ["skipgram"])


def imports(path: Path) -> set[str]:
    """First names of the modules that a file imports, inside functions too."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    return {name.split(".")[0] for name in plain} | {
        (node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)
    }


SERVE = """
import json, sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
texts = pd.DataFrame({"text": ["the king and the [MASK] of france", "[MASK] [MASK]"]})
found = model.predict(texts, params={"topn": 3})
texts = pd.DataFrame({"text": ["the king of france", "london"]})
code = model.predict(texts, params={"task": "encode", "pooling": "cls"})
import firth
print(json.dumps([found.to_dict("list"), code["vector"].tolist(), firth.__file__, "transformers" in sys.modules]))
"""


@pytest.mark.slow
def test_it_is_served_by_the_code_beside_it(project: ScoredProject) -> None:
    from firth.encode.load import load_model
    from firth.encode.use import encode

    project.pretrain(1)
    promote(project)
    import mlflow

    said = mlflow.models.get_model_info("models:/bert@champion")
    assert said.signature.inputs.input_names() == ["text"]
    assert said.saved_input_example_info["type"] == "dataframe"
    folder = Path(mlflow.artifacts.download_artifacts(artifact_uri="models:/bert/1"))
    done = subprocess.run([sys.executable, "-c", SERVE, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, vectors, package, hugging = json.loads(done.stdout.splitlines()[-1])
    assert [len(masks) for masks in found["fillings"]] == [1, 2]
    assert len(found["fillings"][0][0]) == len(found["probabilities"][0][0]) == 3
    bert = load_model(fetch_model("bert/1", project.root))
    expected = encode(bert, ["the king of france", "london"], pooling="cls")
    assert [[pytest.approx(value, abs=1e-5) for value in row] for row in expected.tolist()] == vectors
    assert Path(package).is_relative_to(folder), "not the Firth that is installed here"
    assert not hugging
    needs = (folder / "requirements.txt").read_text().split()
    assert all("==" in line for line in needs)
    imported = {name for path in (folder / "code").rglob("*.py") for name in imports(path)}
    assert imported - set(sys.stdlib_module_names) <= {"firth", *(line.partition("==")[0] for line in needs)}
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]
