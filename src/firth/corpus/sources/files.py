"""Local files by name or glob, pinned by their names and bytes."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import IO, Any

from firth.canonical import file_sha256
from firth.config.corpora import FileSource
from firth.errors import ConfigError, DataError, IntegrityError
from firth.packing import Input, unpacked_name
from firth.project import find_root, from_root, state_folder

FORMATS = {
    ".txt": "text",
    ".md": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".xml": "mediawiki",
}
"""Formats by the ending of a file's name, behind that of its compression."""


def file_inputs(name: str, source: FileSource) -> list[Input]:
    """The files of corpus `name`, ordered by name and bytes.

    Raises:
        DataError: a path or glob that matches no file.
        IntegrityError: the files are not the ones that were pinned.
    """
    listed = _listed(find_files(source.paths))
    found = _pin(listed)
    if found != source.sha256:
        raise IntegrityError(
            f"corpora.{name}: the files are not the ones that are pinned (their pin is {found}, the parameters hold "
            f"{source.sha256}); to use them as they are now: firth corpus pin {name}"
        )
    return inputs_of(path for path, _ in listed)


def inputs_of(files: Iterable[Path]) -> list[Input]:
    """`files` as things to read, in their order; errors will name them as seen from the current folder."""
    return [
        Input(name=path.name, where=str(shown), size=path.stat().st_size, open=partial(_stream, path))
        for path in files
        for shown in [path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path]
    ]


def find_files(patterns: Sequence[str], folders: Sequence[Path] | None = None) -> list[Path]:
    """The files that `patterns` (names or globs) match, each once.

    A relative pattern is looked up in each of `folders` until one has a match: by default the current folder, then the
    clone (a flow run's worktree holds only what git tracks, so untracked data lies in the clone).

    Raises:
        DataError: a pattern that matches nothing, or names a folder.
    """
    if folders is None:
        folders = [Path.cwd(), state_folder().parent]
    found: dict[Path, Path] = {}
    for pattern in patterns:
        for path in _matches(pattern, folders):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def pin_files(patterns: Sequence[str], root: Path) -> str:
    """The pin of the files that `patterns` match in `root` (or anywhere, where they are absolute).

    It is the sha256 over one line, `name<TAB>sha256 of the bytes`, for each file, sorted. Folders are no part of it, so
    that a corpus may move, or be pinned on another machine.
    """
    return _pin(_listed(find_files(patterns, [root])))


def describe_files(
    paths: Sequence[str],
    *,
    licence: str,
    attribution: str,
    format_: str | None = None,
    text_field: str = "text",
    title_field: str | None = None,
) -> dict[str, Any]:
    """The entry of a new `files` corpus for params.yaml, pinned; `paths` are as seen from the current folder.

    Paths inside the project are written relative to it, others absolute. The format is guessed by the files' endings
    where it is not given.

    Raises:
        DataError: a path that matches nothing, or files of several formats.
    """
    root = find_root()
    patterns = [from_root(path, root) for path in paths]
    files = find_files(patterns, [root])
    entry: dict[str, Any] = {
        "kind": "files",
        "licence": licence,
        "attribution": attribution,
        "paths": patterns,
        "sha256": _pin(_listed(files)),
        "format": format_ or guess_format(files),
    }
    if entry["format"] in ("jsonl", "csv", "parquet"):
        entry["text_field"] = text_field
        if title_field is not None:
            entry["title_field"] = title_field
    return entry


def guess_format(files: Iterable[PurePath]) -> str:
    """The one format that the endings of `files` stand for, such as `jsonl` for `a.jsonl.zst`."""
    found: dict[str, str] = {}
    for file in files:
        ending = PurePath(unpacked_name(file.name)).suffix.lower()
        if ending not in FORMATS:
            raise ConfigError(
                f"{file}: no format goes with the ending {ending or '(none)'!r}; name it with --format "
                f"({', '.join(dict.fromkeys(FORMATS.values()))})"
            )
        found.setdefault(FORMATS[ending], str(file))
    if len(found) != 1:
        listed = ", ".join(f"{file} ({kind})" for kind, file in found.items())
        raise ConfigError(f"a corpus has files of one format: {listed}; name it with --format or add several corpora")
    return next(iter(found))


def _stream(path: Path) -> IO[bytes]:
    return path.open("rb")


def _listed(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    return sorted(((path, file_sha256(path)) for path in paths), key=lambda item: (item[0].name, item[1]))


def _pin(listed: list[tuple[Path, str]]) -> str:
    lines = "".join(f"{path.name}\t{digest}\n" for path, digest in listed)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _matches(pattern: str, folders: Sequence[Path]) -> list[Path]:
    expanded = Path(pattern).expanduser()
    for folder in dict.fromkeys(folders):
        literal = folder / expanded
        if literal.is_file():
            return [literal]
        if literal.is_dir():
            raise DataError(f"{pattern!r} is a folder; name its files, such as {pattern.rstrip('/')}/*.txt")
        # Path.glob takes no absolute pattern.
        names = glob.glob(str(expanded), root_dir=folder, recursive=True)  # noqa: PTH207
        if files := [path for path in (folder / found for found in sorted(names)) if path.is_file()]:
            return files
    kind = "the glob matches no file" if glob.has_magic(pattern) else "no such file"
    raise DataError(f"{pattern!r}: {kind} (a relative path is one below the project folder)")
