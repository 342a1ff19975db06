"""`firth evaluate`: what cannot be is said in one line that names the option."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluate_calls import run, said, write_texts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own", "--task", "text"], "--task text: say with --train FILE where the examples are"),
        (["own", "--task", "words", "--train", "own.csv"], "--task words: with --train it is one of text, pair, span"),
        (
            ["own", "--task", "squad"],
            "--task squad: say where the official set is: --data FOLDER, --train FILE --dev",
        ),
        (["own", "--task", "conll2003", "--dev", "own.csv"], "say with --train FILE or --data FOLDER where its trai"),
        (["own", "--task", "glue/mnli"], "MNLI has two dev sides; say glue/mnli-m (matched) or glue/mnli-mm (mis"),
        (["own", "--task", "glue/mmlu", "--train", "own.csv"], "glue/mmlu: no official set; there are glue/cola"),
        (["own", "--task", "mrpc"], "not in a Firth project"),
        (["own", "--task", "text", "--train", "none.csv"], "none.csv: no such file"),
        (["own", "--task", "text", "--train", "own.txt"], "the ending does not say what it is; add --format csv"),
        (["own", "--task", "text", "--train", "own.csv", "--metric", "rouge"], "--metric 'rouge': input should be"),
        (
            ["own", "--task", "text", "--train", "own.csv", "--answer-field", "x"],
            "--answer-field does not go with this",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--seeds", "one"],
            "--seeds one: say how many, such as 5, or which",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--seeds", "0"],
            "--seeds 0: a number alone is how many, 1 to",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--frozen", "--protocol", "paper"],
            "--protocol is of fine-tuning: leave it out, or --frozen",
        ),
        (
            ["words", "--task", "text", "--train", "own.csv", "--precision", "bf16"],
            "--precision is for a BERT, and no MODEL is one: leave it out",
        ),
        (["own", "--task", "text", "--train", "own.csv", "--seeds", "1,1"], "seeds names something twice"),
        (["--task", "text", "--train", "own.csv"], "name a MODEL: a folder, skipgram, cbow or bert"),
        (
            ["own", "--task", "text", "--train", "own.csv", "--frozen", "--mode", "finetuned"],
            "--frozen and --mode finetuned: say one of them",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--mode", "frozen", "--epochs", "2"],
            "--epochs is of fine-tuning: leave it out, or --frozen (--mode frozen)",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--learning-rate", "2"],
            "--learning-rate 2.0: input should be less than or equal to 1",
        ),
        (
            ["own", "--task", "text", "--train", "own.csv", "--mode", "finetuned", "--epochs", "9"],
            "finetuning.epochs 9: the protocol sane has 5 at most",
        ),
        (
            [
                "own",
                "--task",
                "text",
                "--train",
                "own.csv",
                "--mode",
                "finetuned",
                "--protocol",
                "paper",
                "--batch",
                "8",
            ],
            "--batch: the protocol paper has a grid of its own",
        ),
        (["own", "--task", "text", "--train", "own.csv", "--length", "3"], "--length 3: input should be greater than"),
        (
            ["own", "--task", "text", "--train", "own.csv", "--threads", "0"],
            "--threads 0: input should be greater than",
        ),
        (["own", "--task", "text", "--train", "own.csv"], "no field 'text'; there are: sentence, verdict"),
    ],
)
def test_what_cannot_be_is_said_with_the_option(folder: Path, arguments: list[str], message: str) -> None:
    write_texts(folder / "own.csv")
    write_texts(folder / "own.txt")
    assert message in said(*arguments)


def test_layers_and_pooling_are_refused_where_no_model_has_any(folder: Path) -> None:
    write_texts(folder / "own.csv")
    fields = ["--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field", "verdict"]
    assert said("words", *fields, "--layers", "sum4") == ("--layers is for a BERT, and no MODEL is one: leave it out")
    assert said("words", *fields, "--layers", "last", "--pooling", "cls").startswith("--pooling is for a BERT")
    assert run("words", "own", *fields, "--pooling", "cls").exit_code == 0


def test_what_is_no_model_is_said(folder: Path) -> None:
    write_texts(folder / "own.csv")
    (folder / "empty").mkdir()
    asked = ["--task", "text", "--train", "own.csv", "--text-field", "sentence", "--label-field", "verdict"]
    assert said("gpt", *asked) == "gpt: no such folder, and this is not a Firth project, whose models have names"
    assert said("empty", *asked) == "empty: holds neither vectors.safetensors (word vectors) nor config.json (a BERT)"
    assert said("own", "own", *asked) == "own: named twice"
