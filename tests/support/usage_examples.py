"""Small data sets of the usages with a signal in them, and small encoders that can see it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from firth.bert.architecture import Architecture
from firth.bert.folder import Bert
from firth.bert.folder import save as save_bert
from firth.bert.model import Pretraining, initialise
from firth.config.usages import Evaluation, Finetuning
from firth.tasks.encoders.sources import from_folder
from firth.tasks.evaluation.score import Scored, score_task
from firth.tasks.examples.files import Examples, texts_of, write
from firth.tasks.kept.keeping import keep
from firth.tokens.vocabulary import Vocabulary
from firth.tokens.words import split
from firth.vectors.vectors import Vectors
from firth.word2vec.matrix_files import save_matrices
from firth.wordpiece.tokenizer import Tokenizer

GOOD = ["warm", "funny", "moving", "sharp", "delightful", "brilliant"]
BAD = ["dull", "clumsy", "tedious", "flat", "lifeless", "awful"]
SUBJECTS = ["film", "story", "script", "cast", "ending", "director", "camera", "score"]
PEOPLE = ["Igor", "Takuya", "Salem", "Maria", "Anna", "Hassan"]
PLACES = ["Leeds", "Osaka", "Cairo", "Lima", "Oslo", "Quito"]
VERBS = ["visited", "left", "reached", "praised"]
PLAIN = ["the", "a", "is", "and", "in", "who", "where", "did", "go", "said", "it", "was", "truly", "rather", "."]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORT = Finetuning(learning_rate=3e-3, epochs=2, batch=16)


def draw(kind: str, count: int, seed: int, shuffled: bool = False) -> list[dict[str, Any]]:
    """`count` examples of a kind; `shuffled` parts labels from what they label."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        one: dict[str, Any] = {"id": f"{kind}-{seed}-{number:03d}"}
        person, place, verb = chance.choice(PEOPLE), chance.choice(PLACES), chance.choice(VERBS)
        good = chance.random() < 0.5
        word = chance.choice(GOOD if good else BAD)
        if kind == "text":
            how, what = chance.choice(["truly", "rather"]), chance.choice(SUBJECTS)
            made.append(one | {"text": f"The {what} is {how} {word}.", "label": "fresh" if good else "rotten"})
        elif kind == "pair":
            first = f"is the {chance.choice(SUBJECTS)} {chance.choice(GOOD)}"
            made.append(one | {"first": first, "second": f"It was {word}.", "label": "yes" if good else "no"})
        elif kind == "span":
            before = " ".join(chance.choices(PLAIN[:-1], k=chance.randrange(6)))
            context = f"{before} {person} {verb} {place} , said the {chance.choice(SUBJECTS)} .".strip()
            answers = [{"text": place, "start": context.index(place)}]
            made.append(one | {"context": context, "question": "where did it go", "answers": answers})
        elif kind == "number":
            # How good the second text's word is; the first one says nothing of it.
            first, grade = f"the {chance.choice(SUBJECTS)} was {chance.choice(GOOD)}", chance.randrange(6)
            second = f"It was {GOOD[grade // 2] if grade % 2 else BAD[grade // 2]}."
            made.append(one | {"first": first, "second": second, "score": float(grade)})
        elif kind == "choice":
            right = chance.randrange(4)
            words = [chance.choice(GOOD if place == right else BAD) for place in range(4)]
            context = f"{person} {verb} the {chance.choice(SUBJECTS)}"
            made.append(one | {"context": context, "endings": [f"it was {w} ." for w in words], "label": right})
        else:
            tokens = [person, verb, "the", place, "and", chance.choice(PLACES), chance.choice(SUBJECTS), "."]
            made.append(one | {"tokens": tokens, "tags": ["B-PER", "O", "O", "B-LOC", "O", "B-LOC", "O", "O"]})
    if shuffled:
        field = {"tagging": "tags", "number": "score"}.get(kind, "label")
        values = [one[field] for one in made]
        chance.shuffle(values)
        made = [one | {field: value} for one, value in zip(made, values, strict=True)]
    return made


def examples_of(
    folder: Path, kind: str, train: list[dict[str, Any]], dev: list[dict[str, Any]], **manifest: Any
) -> Examples:
    """The examples as `firth.tasks.examples` would have written them to `folder`."""
    metric = {"span": "f1", "tagging": "entity_f1", "number": "pearson_spearman"}.get(kind, "accuracy")
    said = {"task": "toy", "kind": kind, "title": f"toy {kind}", "metric": metric, "published": "", "length": 32}
    sides = {"train": train, "dev": dev}
    return Examples(kind, train, dev, write(folder, sides, said | manifest))  # type: ignore[arg-type]


def all_words() -> list[str]:
    """Every word of the sets, lower-cased, by code point; numbers and choices have no others."""
    sets = [one for kind in ("text", "pair", "span", "tagging") for one in draw(kind, 200, 0)]
    texts = [text for one in sets for text in texts_of(one, one["id"].split("-")[0])]
    return sorted({word for word in split(texts, lowercase=True, numbers="keep") if word != "\n"})


def vectors(seed: int = 1, dim: int = 24) -> Vectors:
    """A random vector for each word: enough to tell words apart."""
    words = all_words()
    matrix = np.random.default_rng(seed).normal(size=(len(words), dim)).astype(np.float32)
    return Vectors(Vocabulary(tuple(words), np.arange(len(words), 0, -1, dtype=np.int64)), matrix)


def bert(seed: int = 1, layers: int = 2, positions: int = 64) -> Bert:
    """An untrained model that knows each word as one piece, except "camera", which is three."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [word for word in all_words() if word != "camera" and len(word) > 1]
    tokenizer = Tokenizer([*names, ".", ",", *LETTERS, *(f"##{one}" for one in LETTERS), "cam", "##era", *words])
    shape = Architecture(
        vocabulary=len(tokenizer), layers=layers, hidden=32, heads=2, intermediate=64, positions=positions, dropout=0.1
    )
    model = Pretraining(shape)
    initialise(model, seed)
    return Bert(model.eval(), tokenizer, dict.fromkeys(("pooler", "mlm", "nsp"), "trained"))


def sixty_and_thirty(folder: Path, kind: str, **manifest: Any) -> Examples:
    """Sixty examples to train on and thirty to score on."""
    if kind == "span":  # an answer of the greatest length is to be whole in a window
        manifest = {"length": 48} | manifest
    return examples_of(folder / "examples", kind, draw(kind, 60, 1), draw(kind, 30, 2), **manifest)


def trained(
    folder: Path, kind: str, drawn: Examples | None = None, words: bool = False, **settings: Any
) -> tuple[Scored, Path]:
    """A toy BERT, or `words`' vectors, fine-tuned, scored and kept: the scores, and the kept model's folder.

    With other `modes` and `heads` it is the one system that these make.
    """
    if words:
        found = vectors()
        save_matrices(folder / "words", found.vocabulary, {"input": found.matrix})
    else:
        save_bert(folder / "bert", bert(layers=2 if settings.get("layers", "last") == "last" else 4))
    drawn = drawn or sixty_and_thirty(folder, kind)
    asked: dict[str, Any] = {"modes": ["finetuned"], "finetuning": SHORT, "seeds": [1, 2], "threads": 1} | settings
    evaluation = Evaluation(**asked)
    source = from_folder(folder / ("words" if words else "bert"), "toy", evaluation)
    scored = score_task(drawn, {"toy": source}, evaluation)
    (row,) = (row for row in scored.results["systems"] if "ensemble_of" not in row)
    keep(folder / "kept", drawn, source, evaluation, row)
    return scored, folder / "kept"
