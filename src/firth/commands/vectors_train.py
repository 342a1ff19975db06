"""`firth vectors train`: word vectors from files of text, without a project."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from firth.choices import Backend, ModelName, Objective
from firth.errors import ConfigError, FirthError
from firth.progress import compact, duration

if TYPE_CHECKING:
    from firth.config.base import Section
    from firth.word2vec.from_text import Request, Summary

S = TypeVar("S", bound="Section")

OPTIONS = {
    "words.lowercase": "--cased",
    "words.min_count": "--min-count",
    "words.max_vocabulary": "--max-vocabulary",
    "words.phrases.passes": "--phrases",
    "words.seed": "--seed",
    "word2vec.dim": "--dim",
    "word2vec.window": "--window",
    "word2vec.negatives": "--negative",
    "word2vec.objective": "--objective",
    "word2vec.subwords": "--subwords",
    "word2vec.subwords.buckets": "--subwords",
    "word2vec.sample": "--sample",
    "word2vec.backend": "--backend",
    "word2vec.threads": "--threads",
    "word2vec.seed": "--seed",
    "word2vec.learning_rate": "--learning-rate",
    "word2vec.skipgram.learning_rate": "--learning-rate",
    "word2vec.epochs": "--epochs",
    "word2vec.skipgram.epochs": "--epochs",
    "heldout_share": "--heldout-share",
}
"""What a key of params.yaml is called here."""

RATES: dict[ModelName, float] = {"skipgram": 0.025, "cbow": 0.05}
"""Learning rates of the word2vec toolkit."""


MOST_THREADS = 256
"""As many as the engine takes."""


def add_to(app: typer.Typer) -> None:
    """Register this module's command on `firth vectors`."""
    app.command()(train)


def train(
    input_: Annotated[
        list[Path], typer.Option("--input", help="Text, a sentence a line; .gz, .bz2 and .xz too; repeatable.")
    ],
    output: Annotated[Path, typer.Option(help="New folder for the vectors.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Further files of text.")] = None,
    model: Annotated[ModelName, typer.Option(help="Predict the contexts from the word, or the word from them.")] = (
        "skipgram"
    ),
    dim: Annotated[
        int | None, typer.Option(help="Dimensions; default 100, or those of --init.", show_default=False)
    ] = None,
    window: Annotated[int, typer.Option(help="Largest distance of a context word.")] = 5,
    negative: Annotated[int, typer.Option(help="Noise words per positive example.")] = 5,
    sample: Annotated[float, typer.Option(help="Subsampling threshold of frequent words; 0: none.")] = 1e-3,
    min_count: Annotated[int, typer.Option(help="Rarer words are left out.")] = 5,
    max_vocabulary: Annotated[int, typer.Option(help="Most words kept, most frequent first.")] = 1_000_000,
    epochs: Annotated[int, typer.Option(help="Passes over the text.")] = 5,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="At the start, falls linearly; default 0.025, cbow 0.05.", show_default=False),
    ] = None,
    objective: Annotated[Objective, typer.Option(help="What is minimised.")] = "negative_sampling",
    subwords: Annotated[
        int | None,
        typer.Option(
            help="Buckets of character n-grams, as fastText has (2000000); default 0, whole words, or those of --init.",
            show_default=False,
        ),
    ] = None,
    phrases: Annotated[
        int, typer.Option(help="Join frequent pairs, new_york, before training: as many times; 0: never.")
    ] = 0,
    cased: Annotated[bool, typer.Option("--cased", help="Keep capitals apart.")] = False,
    heldout_share: Annotated[float, typer.Option(help="Share of sentences held out, to measure the loss on.")] = 0.0,
    init: Annotated[Path | None, typer.Option(help="Folder of vectors to go on from, with new words added.")] = None,
    backend: Annotated[Backend, typer.Option(help="What trains; auto: the compiled kernels on CPU.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(help="Default all cores; only 1 gives the same bytes again.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same vectors (with --threads 1).")] = 1,
) -> None:
    """Train word vectors on files of text: no project, no pipeline, no tracker.

    The defaults are those of the word2vec toolkit. Broken off, it goes on from its last checkpoint when the same
    command is given again.
    """
    from firth.config.text import Words
    from firth.config.word2vec import Subwords, Word2Vec
    from firth.word2vec.continuation import OldVectors
    from firth.word2vec.from_text import Request, train_from_text

    cores = min(len(os.sched_getaffinity(0)), MOST_THREADS)
    rate = RATES[model] if learning_rate is None else learning_rate
    try:
        old = OldVectors.load(init) if init else None
        if dim is None:
            dim = old.dim if old else 100
        ngrams = (old.subwords if old else Subwords()).model_dump()
        if subwords is not None:
            ngrams["buckets"] = subwords
        recipe = {"learning_rate": rate, "epochs": epochs}
        request = Request(
            inputs=(*input_, *(more or [])),
            output=output,
            model=model,
            words=_section(
                Words, "words", lowercase=not cased, min_count=min_count, max_vocabulary=max_vocabulary,
                phrases={"passes": phrases}, seed=seed,
            ),
            settings=_section(
                Word2Vec, "word2vec", dim=dim, window=window, negatives=negative, objective=objective,
                subwords=ngrams, sample=sample, backend=backend,
                threads=cores if threads is None else threads, seed=seed, skipgram=recipe, cbow=recipe,
            ),
            heldout_share=_share(heldout_share),
            init=old,
        )  # fmt: skip
        _say_reproducible(request)
        summary = train_from_text(request)
    except FirthError as error:
        raise type(error)(in_options(str(error))) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    _say(summary, request)


def in_options(message: str) -> str:
    """`message` with this command's options in place of the keys of params.yaml."""
    return re.sub(
        r"\b(?:words|word2vec|heldout_share)(?:\.[a-z0-9_]+)*", lambda found: OPTIONS.get(found[0], found[0]), message
    )


def _section(kind: type[S], name: str, **values: Any) -> S:
    """The settings `values`; what is wrong with them is said key by key."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join([name, *map(str, wrong["loc"])])
        where = f"{key} {wrong['input']}: " if wrong["loc"] else ""
        raise ConfigError(f"{where}{wrong['msg'].removeprefix('Value error, ')}") from None


def _share(value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise ConfigError(f"--heldout-share {value}: from 0 to below 1")
    return value


def _say_reproducible(request: Request) -> None:
    threads = request.settings.threads
    if threads > 1:
        print(f"{threads} threads: the fastest way, and not the same bytes every time; --threads 1 is reproducible")


def _say(summary: Summary, request: Request) -> None:
    print(
        f"{request.output}: {len(summary.vocabulary):,} words of {summary.dim} dimensions, {request.model}, from "
        f"{summary.epochs} x {compact(summary.words)} words of text"
    )
    if summary.trained_words:
        print(
            f"trained {compact(summary.trained_words)} words in {duration(summary.seconds)}, "
            f"{compact(summary.words_per_second)} words/s"
        )
    else:
        print("nothing was left to train")
    print(", ".join(f"{name} {value:.4f}" for name, value in sorted(summary.metrics.items())))
    command = ["firth", "vectors", "neighbours", _example(summary.vocabulary), "--vectors", str(request.output)]
    print(f"next: {shlex.join(command)}")


def _example(words: tuple[str, ...]) -> str:
    """A word worth asking about: the most frequent one that is not a function word by its length."""
    return next((word for word in words if len(word) > 5 and word.isalpha()), words[0])
