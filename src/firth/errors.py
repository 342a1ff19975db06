"""The errors a person can mend. The command line prints them as one line, without a traceback."""

from __future__ import annotations

from pathlib import Path


class FirthError(Exception):
    """What went wrong, where, and what would be valid, in one message."""


class ConfigError(FirthError):
    """A parameter is unknown, of the wrong type, out of range, or impossible together with another."""


class DataError(FirthError):
    """Input that cannot be used. `path` and `line` say where; they lead the message."""

    def __init__(self, message: str, path: Path | str | None = None, line: int | None = None) -> None:
        self.path = path
        self.line = line
        where = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        super().__init__(where + message)


class PassingError(FirthError):
    """What may succeed when it is tried again, such as a registry that did not answer: a flow tries it again."""


class IntegrityError(FirthError):
    """Bytes that are not the bytes that were written: a checksum, a size or a digest differs."""
