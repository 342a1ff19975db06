"""`firth vectors evaluate`: analogies, word similarity and the antonym study on any vectors."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from firth.commands.addresses import WORDS, folder_of, root_or_none
from firth.errors import FirthError

if TYPE_CHECKING:
    from firth.config.evaluation import WordTasks
    from firth.tasks.words.scoring import AnalogyFile, SimilarityFile
    from firth.tasks.words.similarity import Compose
    from firth.vectors.vectors import Vectors

DATA_VARIABLE = "FIRTH_DATA"
MORE = {"men": "EN-MEN-TR-3k.txt", "rw": "EN-RW-STANFORD.txt", "mturk": "EN-MTurk-287.txt"}
"""Similarity files that are scored too where `$FIRTH_DATA/word_eval/similarity` has them."""

ENDS = 5


def add_to(app: typer.Typer) -> None:
    """Register this module's command."""
    app.command()(evaluate)


def evaluate(
    vectors: Annotated[
        str,
        typer.Option(
            "--vectors", "-v", help="A folder, skipgram or cbow of this project, or MODEL@alias of the registry."
        ),
    ] = "skipgram",
    analogies: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Questions in the form of questions-words.txt.")
    ] = None,
    similarity: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Two words and a score a line, between tabs, commas or blanks; may be given several times.",
        ),
    ] = None,
    antonyms: Annotated[
        bool, typer.Option("--antonyms", help="The antonym study; without files, nothing else is measured.")
    ] = False,
    restrict: Annotated[
        int | None,
        typer.Option(min=4, help="Answer analogies among so many most frequent words (default: as the project does)."),
    ] = None,
    which: Annotated[
        Literal["input", "output", "sum", "concat"],
        typer.Option(help="Input vectors W, output vectors C, their sum, or both side by side."),
    ] = "input",
    oov: Annotated[
        bool,
        typer.Option(
            "--oov", help="Similarity: score words outside the vocabulary through their n-grams (subword vectors)."
        ),
    ] = False,
    json_: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
) -> None:
    """Score vectors on analogies and word similarity, with 95% intervals and what the vocabulary lacks.

    Without files: Google analogies, WordSim-353 and SimLex-999 of pinned package data, and MEN, RW and MTurk of
    FIRTH_DATA/word_eval where that is set.
    """
    from firth.canonical import file_sha256, write_json
    from firth.vectors.vectors import Vectors
    from firth.word2vec.matrix_files import FILE

    settings = _settings()
    questions, judged = _files(analogies, similarity or [], settings, only_named=antonyms)
    if restrict is not None and questions is None:
        raise FirthError("--restrict is about analogies, and none are asked; name some with --analogies FILE")
    if oov and not judged:
        raise FirthError("--oov is about word similarity, and none is asked; name some with --similarity FILE")
    folder = folder_of(vectors, WORDS)
    loaded = Vectors.load(folder, which)
    compose = _compose(loaded, vectors, which) if oov else None
    words, matrix = loaded.vocabulary.words, loaded.matrix
    restrict = restrict or settings.restrict_vocabulary
    sampled = {"bootstrap": settings.bootstrap, "seed": settings.seed}
    results: dict[str, Any] = {
        "vectors": {
            "address": vectors,
            "which": which,
            "words": len(words),
            "dim": int(matrix.shape[1]),
            "sha256": file_sha256(folder / FILE),
        },
        "settings": {"restrict_vocabulary": restrict, "oov": oov, **sampled},
    }
    print(f"{vectors}: {len(words):,} words of {matrix.shape[1]} dimensions, {which} vectors")
    if questions is not None:
        from firth.tasks.words.scoring import analogy_result

        results["analogies"] = analogy_result(words, matrix, questions, restrict_vocabulary=restrict, **sampled)
        _show_analogies(results["analogies"], restrict)
    if judged:
        from firth.tasks.words.scoring import similarity_result

        results["similarity"] = {
            name: similarity_result(words, matrix, file, compose=compose, **sampled) for name, file in judged.items()
        }
        _show_similarity(results["similarity"], oov)
    if antonyms:
        from firth.tasks.words.antonyms import antonym_study

        results["antonyms"] = antonym_study(words, matrix, bootstrap=settings.bootstrap, seed=settings.seed)
        _show_antonyms(results["antonyms"])
    if json_ is not None:
        write_json(json_, results)


def _settings() -> WordTasks:
    """Those of the project, or the demo's outside of one."""
    from firth.config import load_params
    from firth.config.load import load_preset

    root = root_or_none()
    return load_preset("demo").word_tasks if root is None else load_params(root / "params.yaml").word_tasks


def _files(
    analogies: Path | None, similarity: list[Path], settings: WordTasks, only_named: bool
) -> tuple[AnalogyFile | None, dict[str, SimilarityFile]]:
    """The files that are named, or else those of the package data and of FIRTH_DATA."""
    from firth.tasks.words.scoring import AnalogyFile, SimilarityFile

    if analogies is not None or similarity or only_named:
        stems = [path.stem for path in similarity]
        named = {path.stem if stems.count(path.stem) == 1 else str(path): path for path in similarity}
        return (
            None if analogies is None else AnalogyFile.parse(analogies.read_bytes(), analogies),
            {name: SimilarityFile.parse(path.read_bytes(), path) for name, path in named.items()},
        )
    questions: AnalogyFile | None = None
    judged: dict[str, SimilarityFile] = {}
    refused: FirthError | None = None
    try:
        questions, judged = _of_package(settings)
    except FirthError as error:
        refused = error
    data = os.environ.get(DATA_VARIABLE)
    for name, file in MORE.items() if data else ():
        path = Path(str(data)) / "word_eval" / "similarity" / file
        if path.is_file():
            judged[name] = SimilarityFile.parse(path.read_bytes(), path)
    if refused is not None and not judged:
        raise FirthError(f"{refused}; files of your own: --analogies FILE, --similarity FILE") from None
    if refused is not None:
        print(f"without the files of {settings.files.package}: {refused}", file=sys.stderr)
    return questions, judged


def _of_package(settings: WordTasks) -> tuple[AnalogyFile, dict[str, SimilarityFile]]:
    from firth.tasks.words.scoring import AnalogyFile, SimilarityFile
    from firth.tasks.words.suites import SIMILARITY, fetch_suite

    return (
        AnalogyFile.parse(fetch_suite(settings.files, "analogies"), settings.files.analogies),
        {
            suite: SimilarityFile.parse(fetch_suite(settings.files, suite), getattr(settings.files, suite))
            for suite in SIMILARITY
        },
    )


def _compose(vectors: Vectors, address: str, which: str) -> Compose:
    from firth.vectors.unknown import UnknownWordError

    if vectors.ngrams is None:
        why = "only input vectors have n-grams" if which != "input" else "they were trained on whole words"
        raise FirthError(f"--oov: {address} has no n-grams ({why}); word2vec.subwords.buckets trains some")

    def compose(word: str) -> Any:
        try:
            return vectors[word]
        except UnknownWordError:  # too short to have n-grams
            return None

    return compose


def _show_analogies(found: Mapping[str, Any], restrict: int) -> None:
    table = _table(f"Analogies, 3CosAdd among the {restrict:,} most frequent words")
    table.add_column("section")
    for head in ("right", "known", "of", "accuracy", "95% interval"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, part in found["sections"].items():
        table.add_row(name, *_counted(part), "")
    table.add_row()
    for name, part in found["groups"].items():
        table.add_row(name, *_counted(part), "")
    whole = {
        "correct": sum(part["correct"] for part in found["groups"].values()),
        "covered": found["covered"],
        "total": found["total"],
    }
    interval = "" if found["low"] is None else f"{found['low']:.1%} to {found['high']:.1%}"
    table.add_row("all", *_counted(whole), interval, style="bold")
    _print(table)


def _counted(part: Mapping[str, int]) -> tuple[str, str, str, str]:
    accuracy = f"{part['correct'] / part['covered']:.1%}" if part["covered"] else "–"
    return f"{part['correct']:,}", f"{part['covered']:,}", f"{part['total']:,}", accuracy


def _show_similarity(found: Mapping[str, Mapping[str, Any]], oov: bool) -> None:
    table = _table("Word similarity, Spearman's rho with people's judgements")
    table.add_column("file")
    for head in ("rho", "95% interval", "pairs", "of", "out of vocabulary", *(["by n-grams"] if oov else [])):
        table.add_column(head, justify="right", no_wrap=True)
    for name, part in found.items():
        table.add_row(
            name,
            "–" if part["score"] is None else f"{part['score']:.3f}",
            "" if part["low"] is None else f"{part['low']:.3f} to {part['high']:.3f}",
            f"{part['covered']:,}",
            f"{part['total']:,}",
            f"{part['out_of_vocabulary']:.1%}",
            *([f"{part['composed']:,}"] if oov else []),
        )
    _print(table)


def _show_antonyms(found: Mapping[str, Any]) -> None:
    table = _table(
        f"Opposites beside synonyms: {found['covered']} of {found['triples']} words known with both partners"
    )
    table.add_column("pairs of")
    heads = ("mean cosine", "95% interval", f"in {found['nearest']} nearest", "median rank")
    for head in heads:
        table.add_column(head, justify="right")
    for kind, name in (("antonym", "opposites"), ("synonym", "synonyms"), ("random", "random words")):
        part = found["kinds"][kind]
        if part["mean"] is None:
            continue
        near = "" if part["near"] is None else f"{part['near']} of {part['pairs']}"
        interval = f"{part['low']:.3f} to {part['high']:.3f}"
        table.add_row(name, f"{part['mean']:.3f}", interval, near, f"{part['frequency_rank']:,}")
    _print(table)
    rows = sorted((row for row in found["rows"] if "cosine" in row), key=lambda row: -row["cosine"]["antonym"])
    if not rows:
        return
    gap = found["difference"]
    print(f"opposites less synonyms: {gap['mean']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})")
    if len(rows) >= 2 * ENDS:
        for said, some in (("nearest", rows[:ENDS]), ("farthest", rows[: -ENDS - 1 : -1])):
            told = (f"{row['word']} – {row['antonym']} {row['cosine']['antonym']:.2f}" for row in some)
            print(f"{said} opposites: {', '.join(told)}")


def _table(title: str) -> Any:
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)


def _print(table: Any) -> None:
    from rich.console import Console

    print()
    Console().print(table)
