"""From files of text to a folder of vectors, without a pipeline, on from where an earlier attempt was broken off.

Everything on the way lies beside the output, in `OUTPUT.unfinished`: what was asked for (`request.json`), the word
store (`words/`) and the training's run folder (`run/`). The same request finds it again; it goes when all is done.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from firth.canonical import read_json, write_json
from firth.choices import ModelName
from firth.config.text import Words
from firth.config.word2vec import Word2Vec
from firth.errors import ConfigError, DataError, FirthError
from firth.progress import compact
from firth.tokens.encode import build_store_from_files
from firth.tokens.store import MANIFEST, WordStore
from firth.training.lock import run_lock
from firth.training.signals import EXIT_CODE
from firth.word2vec.continuation import Continuation, OldVectors
from firth.word2vec.engines import backend_of
from firth.word2vec.outputs import write_outputs
from firth.word2vec.train import Identity, TrainedVectors, train

REQUEST = "request.json"
STORE, RUN, RESULT = "words", "run", "vectors"

CHECKPOINT_BYTES_PER_SECOND = 10_000_000
"""Checkpoints of large matrices are taken this much more rarely: a few percent of the time at most."""


@dataclass(frozen=True)
class Request:
    """What to train, on which files of text, into which folder; `init` are vectors to go on from."""

    inputs: tuple[Path, ...]
    output: Path
    model: ModelName
    words: Words
    settings: Word2Vec
    heldout_share: float = 0.0
    init: OldVectors | None = None

    @property
    def unfinished(self) -> Path:
        """Where everything lies until the output stands."""
        whole = Path(os.path.abspath(self.output))  # noqa: PTH100 - `resolve` would leave a link's folder
        return whole.with_name(f"{whole.name}.unfinished")


@dataclass(frozen=True)
class Summary:
    """What came out: words of the text, of the vocabulary; what this attempt trained and how long it took."""

    vocabulary: tuple[str, ...]
    dim: int
    words: int
    epochs: int
    trained_words: int
    seconds: float
    metrics: dict[str, float]

    @property
    def words_per_second(self) -> float:
        """Corpus words trained in a second, of this attempt; 0 where nothing was left to train."""
        return self.trained_words / self.seconds if self.seconds else 0.0


def train_from_text(request: Request) -> Summary:
    """Do what `request` says, or the rest of it; progress goes to stderr.

    Ctrl-C and SIGTERM during the training save a checkpoint first.

    Raises:
        FirthError: files that cannot be read, settings that cannot be, an output that is already there, or another
            request's unfinished training in its place.
        KeyboardInterrupt: after Ctrl-C.
        SystemExit: 143, after SIGTERM.
    """
    _check_inputs(request.inputs)
    backend_of(request.settings)
    if request.init:
        request.init.check(request.settings)
    _refuse_existing(request.output)
    folder = request.unfinished
    _refuse_foreign(folder)
    with run_lock(folder):
        _refuse_existing(request.output)  # another process may have been at it while this one waited
        _keep_request(folder, _description(request))
        try:
            return _run(request, folder)
        except FirthError as error:
            if isinstance(error, DataError) or not any((folder / RUN / "checkpoints").glob("step-*")):
                shutil.rmtree(folder)  # nothing in it is worth keeping, and other settings may be tried next
            raise
        except (KeyboardInterrupt, SystemExit):
            print(f"{folder}: kept; the same command goes on from there", file=sys.stderr, flush=True)
            raise


def _run(request: Request, folder: Path) -> Summary:
    store = _store(request, folder / STORE)
    start = Continuation.of(request.init, store.vocabulary) if request.init else None
    if start:
        store = replace(store, vocabulary=start.vocabulary)
        print(start.summary(), file=sys.stderr, flush=True)
    _check_memory(request.settings, len(store.vocabulary))
    settings = _paced(request.settings, len(store.vocabulary))
    rates: dict[int, float] = {}

    def note(step: int, metrics: dict[str, float]) -> None:
        rates[step] = metrics["train/words_per_second"]

    with _ctrl_c_saves():
        trained = train(store, request.model, settings, folder / RUN, note, start, lightning=False)
    identity = Identity.of(store, request.model, request.settings, start)
    result = folder / RESULT
    shutil.rmtree(result, ignore_errors=True)
    write_outputs(result, identity, request.model, store.vocabulary, request.settings.subwords, trained)
    result.rename(request.output)
    summary = _summary(trained, store, rates)
    shutil.rmtree(folder)
    return summary


def _store(request: Request, folder: Path) -> WordStore:
    """The word store of the request's files, built unless a whole one is there."""
    if not (folder / MANIFEST).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        build_store_from_files(
            list(request.inputs), request.words, folder,
            threads=request.settings.threads, heldout_share=request.heldout_share,
        )  # fmt: skip
    store = WordStore.open(folder)
    words = store.manifest["splits"]["train"]["words"]
    print(f"{compact(words)} words of text, {len(store.vocabulary):,} in the vocabulary", file=sys.stderr, flush=True)
    return store


def _paced(settings: Word2Vec, vocabulary: int) -> Word2Vec:
    """`settings` with checkpoints as far apart as the matrices of `vocabulary` words are large."""
    seconds = max(settings.checkpoint_seconds, _size(settings, vocabulary) / CHECKPOINT_BYTES_PER_SECOND)
    return settings.model_copy(update={"checkpoint_seconds": seconds})


def _check_memory(settings: Word2Vec, vocabulary: int) -> None:
    """Refuse matrices that this machine cannot hold: the system would end the process without a word."""
    need, there = _size(settings, vocabulary), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if need > there:
        raise ConfigError(
            f"word2vec.dim = {settings.dim}: the matrices of {vocabulary:,} words take {need / 1e9:.1f} GB, this "
            f"machine has {there / 1e9:.1f}; fewer dimensions, or a smaller words.max_vocabulary"
        )


def _size(settings: Word2Vec, vocabulary: int) -> int:
    """Bytes of the matrices."""
    return 4 * settings.dim * (2 * vocabulary + settings.subwords.buckets)


def _summary(trained: TrainedVectors, store: WordStore, rates: dict[int, float]) -> Summary:
    rows = [row for row in trained.history if row["step"] in rates]
    return Summary(
        store.vocabulary.words,
        trained.matrices["input"].shape[1],
        trained.words,
        trained.epochs,
        sum(row["words"] for row in rows),
        sum(row["words"] / rates[row["step"]] for row in rows if row["words"]),
        trained.metrics,
    )


def _check_inputs(inputs: tuple[Path, ...]) -> None:
    for path in inputs:
        if path.is_dir():
            raise DataError("a folder; name the files in it", path)
        if not path.is_file():
            raise DataError("not a regular file: it is read more than once" if path.exists() else "no such file", path)


def _refuse_existing(output: Path) -> None:
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FirthError(f"{output}: already there and not an empty folder; name a new one")


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder, named as ours would be, that holds something else."""
    if folder.exists() and not (folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {"lock"}) and not (
        folder / REQUEST
    ).is_file():  # fmt: skip
        raise FirthError(f"{folder}: in the way, and not an unfinished training; move it or name another output")


def _description(request: Request) -> dict[str, Any]:
    """The request as flat JSON: equal ones are the same training."""
    files = [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in request.inputs]
    settings = request.settings.model_dump(exclude={"checkpoint_seconds", "skipgram", "cbow"})
    settings |= request.settings.recipe(request.model).model_dump()
    return {
        "input": files,
        "init": request.init.digest if request.init else "",
        "model": request.model,
        "heldout_share": request.heldout_share,
        **{f"words.{key}": value for key, value in request.words.model_dump().items()},
        **{f"word2vec.{key}": value for key, value in settings.items()},
    }


def _keep_request(folder: Path, description: dict[str, Any]) -> None:
    """Write the request down, or compare it with the one that is there."""
    path = folder / REQUEST
    if not path.is_file():
        write_json(path, description)
        return
    there = read_json(path)
    differing = [key for key in sorted(description.keys() | there.keys()) if description.get(key) != there.get(key)]
    if differing:
        said = ", ".join(
            f"{key} (the files or their times)" if key == "input"
            else f"{key} ({there.get(key)} there, {description.get(key)} now)"
            for key in differing
        )  # fmt: skip
        raise FirthError(
            f"{folder}: an unfinished training that differs in {said}; ask for the same to go on, or remove the folder"
        )


@contextmanager
def _ctrl_c_saves() -> Iterator[None]:
    """Within the block Ctrl-C does what SIGTERM does: the training saves and ends. A second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # the training has not begun, or has ended
            raise KeyboardInterrupt
        asked = True
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    except SystemExit as left:
        if asked and left.code == EXIT_CODE:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
