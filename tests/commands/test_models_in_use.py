"""`firth fill`, `encode`, `import`, `export` as a person uses them."""

import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from damage import tear
from one_thread import one_thread  # noqa: F401
from safetensors.numpy import load_file, save_file
from toy_bert import SENTENCES, toy_bert
from typer.testing import CliRunner

from firth.bert.folder import load, save
from firth.cli import app
from firth.commands import models_in_use
from firth.encode.interchange import write_hf
from firth.encode.use import encode, fill
from firth.errors import DataError, FirthError

BERT = toy_bert()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a trained BERT, in the current folder."""
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("{}\n")
    save(tmp_path / "data" / "models" / "bert", BERT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def firth(*arguments, stdin=None):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


class TestFill:
    def test_a_table(self, project):
        shown = firth("fill", "the [MASK] sat on the mat", "-n", 3).stdout
        ((expected,),) = fill(BERT, ["the [MASK] sat on the mat"], top=3)
        assert "the [MASK] sat on the mat" in shown
        rows = [line.split() for line in shown.strip().splitlines()[-3:]]
        assert rows == [[piece, f"{share:.1%}"] for piece, share in expected]

    def test_two_masks_stand_side_by_side(self, project):
        shown = firth("fill", "the [MASK] sat on the [MASK]", "-n", 2).stdout
        assert "piece 1" in shown
        assert "piece 2" in shown
        assert len(shown.strip().splitlines()[-1].split()) == 4

    def test_json(self, project):
        texts = ["the [MASK] sat", "[MASK]"]
        said = json.loads(firth("fill", *texts, "--json", "-n", 2).stdout)
        assert [row["text"] for row in said] == texts
        expected = fill(BERT, texts, top=2)
        for row, masks in zip(said, expected, strict=True):
            found = [[(answer["piece"], answer["probability"]) for answer in mask] for mask in row["masks"]]
            assert found == [[(piece, pytest.approx(share)) for piece, share in mask] for mask in masks]

    def test_errors(self, project):
        with pytest.raises(DataError, match=r"no \[MASK\] in the text 'the cat'"):
            firth("fill", "the cat")
        with pytest.raises(FirthError, match=r"text 1 is not UTF-8 .at character 0"):
            firth("fill", "\udcff [MASK]")
        save(project / "bare", toy_bert(untrained=("mlm", "nsp")))
        with pytest.raises(FirthError, match="head is new"):
            firth("fill", "the [MASK]", "--model", "bare")

    def test_a_cut_text_is_said(self, project):
        assert "1 text has more than 48 tokens" in firth("fill", "[MASK] " + "cat " * 60, "-n", 1).stderr
        assert firth("fill", "[MASK] " + "cat " * 45, "-n", 1).stderr == ""


class TestEncode:
    def test_json_lines_to_standard_output(self, project):
        lines = [json.loads(line) for line in firth("encode", *SENTENCES[:3]).stdout.splitlines()]
        assert [line["text"] for line in lines] == list(SENTENCES[:3])
        vectors = np.array([line["vector"] for line in lines])
        np.testing.assert_allclose(vectors, encode(BERT, SENTENCES[:3], length=48), atol=2e-5)

    @pytest.mark.parametrize("ending", ["safetensors", "npy", "jsonl"])
    def test_a_file_of_texts_to_a_file(self, project, ending):
        (project / "in.txt").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
        said = firth("encode", "--input", "in.txt", "--layers", "concat4", "--pooling", "cls", "--to", f"out.{ending}")
        assert said.stdout == f"out.{ending}: 6 texts, 128 dimensions\n"
        out = project / f"out.{ending}"
        if ending == "safetensors":
            found = load_file(out)["vectors"]
        elif ending == "npy":
            found = np.load(out)
        else:
            found = np.array([json.loads(line)["vector"] for line in out.read_text(encoding="utf-8").splitlines()])
        np.testing.assert_allclose(found, encode(BERT, SENTENCES, "cls", "concat4", length=48), atol=2e-5)

    @pytest.mark.parametrize("pooling", [None, "cls", "mean"])
    def test_a_file_of_texts_to_parquet(self, project, pooling):
        (project / "in.txt").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
        chosen = ["--pooling", pooling] if pooling else []
        said = firth("encode", "--model", "bert", "--input", "in.txt", "--output", "out/v.parquet", *chosen)
        assert said.stdout == "out/v.parquet: 6 texts, 32 dimensions\n"
        read = pq.read_table(project / "out" / "v.parquet")
        assert read.column_names == ["text", "vector"]
        assert read["text"].to_pylist() == list(SENTENCES)
        found = np.array(read["vector"].to_pylist())
        np.testing.assert_allclose(found, encode(BERT, SENTENCES, pooling or "mean", length=48), atol=2e-5)
        assert [path.name for path in (project / "out").iterdir()] == ["v.parquet"]

    def test_words_to_parquet(self, project):
        firth("encode", "The muddy bank.", "the cat", "--pooling", "words", "--output", "v.parquet")
        read = pq.read_table(project / "v.parquet").to_pylist()
        assert [row["names"] for row in read] == [["The", "muddy", "bank", "."], ["the", "cat"]]
        assert [np.array(row["vectors"]).shape for row in read] == [(4, 32), (2, 32)]

    def test_words(self, project):
        (line,) = firth("encode", "The muddy bank.", "--pooling", "words").stdout.splitlines()
        assert json.loads(line)["names"] == ["The", "muddy", "bank", "."]
        assert np.array(json.loads(line)["vectors"]).shape == (4, 32)

    def test_many_texts_go_in_chunks(self, project, monkeypatch):
        monkeypatch.setattr(models_in_use, "CHUNK", 4)
        result = firth("encode", *SENTENCES, "bank " * 60, "--to", "v.npy")
        np.testing.assert_allclose(np.load("v.npy"), encode(BERT, [*SENTENCES, "bank " * 60], length=48), atol=2e-5)
        assert "encode: 7 of 7 texts" in result.stderr

    def test_standard_input(self, project):
        lines = firth("encode", "--input", "-", stdin="the cat\r\n\nthe mat").stdout.splitlines()
        assert [json.loads(line)["text"] for line in lines] == ["the cat", "", "the mat"]

    def test_cut_texts_are_counted(self, project):
        result = firth("encode", "cat " * 47, "the cat", "cat " * 90, "--to", "v.npy")
        assert "2 texts have more than 48 tokens: what is behind them was not read" in result.stderr
        assert "1 text has more than 3 tokens" in firth("encode", "the cat", "--length", 3).stderr

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["x", "--to", "v.csv"], r"v\.csv: the ending names the format"),
            (["x", "--to", "v.npy", "--pooling", "tokens"], "holds one vector a text"),
            ([], "give texts, or a file of them with --input"),
            (["x", "--input", "params.yaml"], "not both"),
            (["--input", "nothing.txt"], r"nothing\.txt: cannot be read .No such file"),
            (["--input", "empty.txt"], r"empty\.txt: holds no text"),
            (["--input", "latin.txt"], r"latin\.txt, line 2: not UTF-8"),
            (["the cat", "the \udcff", "--output", "v.parquet"], r"text 2 is not UTF-8 .at character 4"),
            (["x", "--length", "49"], "--length 49: this model reads 48 tokens at most"),
            (["x", "--to", "params.yaml/v.npy"], "cannot be written"),
            (["x", "--output", "params.yaml/v.parquet"], r"v\.parquet: cannot be written"),
            (["x", "--output", "v.parq"], r"v\.parq: the ending names the format: \.parquet, "),
            (
                ["x", "--model", "skipgram"],
                "skipgram: neither a folder nor a model of this project .bert",
            ),
            (["x", "--model", "data"], r"data: not a model folder: it has no config\.json"),
        ],
    )
    def test_errors(self, project, arguments, named):
        (project / "empty.txt").write_bytes(b"")
        (project / "latin.txt").write_bytes("the cat\nZürich\n".encode("latin-1"))
        with pytest.raises(FirthError, match=named):
            firth("encode", *arguments)

    def test_too_few_layers(self, project):
        save(project / "small", toy_bert(layers=2))
        with pytest.raises(FirthError, match="this model has 2: use 'last'"):
            firth("encode", "x", "--layers", "sum4", "--model", "small")


class TestExchange:
    def test_import_and_export(self, project):
        write_hf(toy_bert(untrained=("mlm", "nsp"), positions=20), project / "hf")
        said = firth("import", "hf", "--to", "mine")
        assert said.stdout.startswith("mine: 4 layers of 32, 4 heads, 8")
        assert "new, not trained yet: mlm, nsp" in said.stdout
        assert load(project / "mine").heads == {"pooler": "trained", "mlm": "new", "nsp": "new"}
        said = firth("export", "mine", "--format", "hf", "--to", "out")
        assert "BertModel of transformers" in said.stdout
        assert "left out, never trained: mlm, nsp" in said.stdout
        assert (project / "out" / "model.safetensors").read_bytes() == (
            project / "hf" / "model.safetensors"
        ).read_bytes()

    def test_old_names_and_no_heads(self, project):
        """As the oldest sentence encoders: LayerNorm's weights are gamma and beta, there is no head, and no prefix."""
        write_hf(toy_bert(untrained=("mlm", "nsp")), project / "hf")
        weights = load_file(project / "hf" / "model.safetensors")
        old = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
            for name, array in weights.items()
        }
        assert sum(name.endswith((".gamma", ".beta")) for name in old) == 2 * (1 + 2 * 4)
        save_file(old, project / "hf" / "model.safetensors")
        said = firth("import", "hf", "--to", "mine")
        assert "hf: has no trained mlm, nsp: new, random weights stand there" in said.stderr
        assert "new, not trained yet: mlm, nsp" in said.stdout
        firth("export", "mine", "--format", "hf", "--to", "out")
        again = load_file(project / "out" / "model.safetensors")
        assert again.keys() == weights.keys()
        assert all(np.array_equal(array, again[name]) for name, array in weights.items())

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (["import", "empty", "--to", "new"], r"empty: not a model folder: it has no config\.json"),
            (["import", "torn", "--to", "new"], r"model\.safetensors"),
            (["export", "nothing", "--to", "new"], "nothing: neither a folder nor a model of this project"),
            (["export", "empty", "--to", "new"], r"empty: not a model folder: it has no config\.json"),
        ],
    )
    def test_what_is_no_model_is_one_error_and_writes_nothing(self, project, arguments, named):
        (project / "empty").mkdir()
        write_hf(BERT, project / "torn")
        tear(project / "torn" / "model.safetensors")
        with pytest.raises(FirthError, match=named):
            firth(*arguments)
        assert not (project / "new").exists()

    def test_the_projects_own_model_is_exported(self, project):
        said = firth("export", "bert", "--to", "out").stdout
        assert said.startswith("out: BertForPreTraining of transformers")
        assert "left out" not in said

    def test_nothing_is_overwritten(self, project):
        write_hf(BERT, project / "hf")
        for arguments in (["import", "hf"], ["export", "bert"]):
            for taken in ("data", "params.yaml", "data/models/bert"):
                with pytest.raises(FirthError, match=f"{taken}: is there already"):
                    firth(*arguments, "--to", taken)

    def test_ours_is_not_imported(self, project):
        with pytest.raises(FirthError, match="is a model folder of Firth already"):
            firth("import", "data/models/bert", "--to", "new")


class TestAddresses:
    def test_a_registered_version(self, project, monkeypatch):
        from firth.registry import versions

        asked = []

        def fetch_model(address, root):
            asked.append((address, root))
            return project / "data" / "models" / "bert"

        monkeypatch.setattr(versions, "fetch_model", fetch_model)
        firth("encode", "x", "--model", "bert@champion")
        assert asked == [("bert@champion", project.resolve())]

    def test_nothing_trained_yet(self, project):
        (project / "data" / "models" / "bert").rename(project / "elsewhere")
        with pytest.raises(FirthError, match="bert is not trained yet: `firth run` does it"):
            firth("fill", "[MASK]")
        assert "text" in firth("encode", "x", "--model", "elsewhere").stdout

    def test_outside_a_project(self, project, tmp_path_factory, monkeypatch):
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        with pytest.raises(FirthError, match="bert: no such folder, and this is not a Firth project"):
            firth("encode", "x")
        assert "text" in firth("encode", "x", "--model", project / "data" / "models" / "bert").stdout


def test_help_does_not_import_torch():
    code = "import sys, firth.commands.models_in_use; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
