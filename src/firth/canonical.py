"""JSON and digests that are the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firth.errors import IntegrityError


def dumps(value: Any) -> str:
    """UTF-8 JSON with sorted keys, two-space indent and a final newline; NaN is refused."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` in one atomic step."""
    write_atomic(path, dumps(value).encode())


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, flush, rename: a reader sees the old bytes or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, whose file takes the place of `path` once the block is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """What `write_json` wrote; a missing or torn file is named."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise IntegrityError(f"{path}: no such file") from None
    except ValueError as error:
        raise IntegrityError(f"{path}: not valid JSON ({error})") from None


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_file(path: Path, size: int, sha256: str) -> None:
    """Raise `IntegrityError` naming `path` where it is not the `size` bytes of that digest that a manifest says."""
    if not path.is_file():
        raise IntegrityError(f"{path}: missing, but named in the manifest")
    if path.stat().st_size != size:
        raise IntegrityError(f"{path}: {path.stat().st_size} bytes, the manifest says {size} (torn)")
    if file_sha256(path) != sha256:
        raise IntegrityError(f"{path}: not the bytes that the manifest names (altered)")


def folder_sha256(folder: Path, pattern: str = "**/*") -> str:
    """sha256 over the relative names and contents of the files below `folder` that match `pattern`."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def value_sha256(value: Any) -> str:
    """sha256 of a JSON value in its canonical form."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()
