"""Compiled kernels on disk, found again by what they were compiled from.

numba's own cache looks at the path and the modification time of one source file: it would compile anew in every
clone and worktree, and would not notice a change in a module that the kernel calls. Here the stamp is the content
of all sources that go into a kernel, as its module names them; numba adds the CPU, the closure and the types. The cache
is per user (`$XDG_CACHE_HOME/firth/kernels`, or `NUMBA_CACHE_DIR` where that is set); without a writable folder kernels
are compiled in each process.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def source_stamp(*sources: str) -> str:
    """sha256 over the sources that a kernel is compiled from, with their places in the package, and over this one.

    Numba keeps the names of modules beside the code: a module that has moved is another, though its text is the same.
    """
    paths = [Path(name).resolve() for name in (__file__, *sources)]
    named = [(str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else path.name, path) for path in paths]
    return hashlib.sha256(b"\0".join(name.encode() + b"\0" + path.read_bytes() for name, path in named)).hexdigest()


def cache_folder() -> Path:
    """Where compiled kernels lie."""
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "firth" / "kernels"


def cached(kernel: Any, *sources: str) -> Any:
    """`kernel`, a numba dispatcher that has not been called yet, with its compiled code kept on disk if possible.

    `sources` are the files (each module's `__file__`) of the kernel and of every function compiled into it.
    """
    if _writable(cache_folder()):
        kernel._cache = _cache_of(source_stamp(*sources))(kernel.py_func)
    return kernel


@cache
def _cache_of(stamp: str) -> type[FunctionCache]:
    """Numba's cache of one function, with `stamp` in place of a path and a time."""

    class ByContent(_CacheLocator):
        def get_cache_path(self) -> str:
            return str(cache_folder())

        def get_source_stamp(self) -> str:
            return stamp

        def get_disambiguator(self) -> str:
            return stamp[:16]

        @classmethod
        def from_function(cls, _function: Any, _file: str) -> ByContent:
            return cls()

    class KernelImpl(CompileResultCacheImpl):
        _locator_classes = [ByContent]  # type: ignore[list-item]  # noqa: RUF012 - numba's own form

    class KernelCache(FunctionCache):
        _impl_class = KernelImpl

    return KernelCache


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
