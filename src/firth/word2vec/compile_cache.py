"""Compiled kernels on disk, found again by what they were compiled from.

numba's own cache looks at the path and the modification time of one source file: it would compile anew in every
clone and worktree, and would not notice a change in a module that the kernel calls. Here the stamp is the content
of all sources that go into a kernel; numba adds the CPU, the closure and the types. The cache is per user
(`$XDG_CACHE_HOME/firth/kernels`, or `NUMBA_CACHE_DIR` where that is set); without a writable folder kernels are
compiled in each process.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

SOURCES = ("compile_cache.py", "kernels.py", "tile.py")


@cache
def source_stamp() -> str:
    """sha256 over the sources that a kernel is compiled from."""
    here = Path(__file__).parent
    return hashlib.sha256(b"\0".join((here / name).read_bytes() for name in SOURCES)).hexdigest()


def cache_folder() -> Path:
    """Where compiled kernels lie."""
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "firth" / "kernels"


class _ByContent(_CacheLocator):
    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return source_stamp()

    def get_disambiguator(self) -> str:
        return source_stamp()[:16]

    @classmethod
    def from_function(cls, _function: Any, _file: str) -> _ByContent:
        return cls()


class _KernelImpl(CompileResultCacheImpl):
    _locator_classes = [_ByContent]  # type: ignore[list-item]  # noqa: RUF012 - numba's own form


class _KernelCache(FunctionCache):
    _impl_class = _KernelImpl


def cached(kernel: Any) -> Any:
    """`kernel`, a numba dispatcher that has not been called yet, with its compiled code kept on disk if possible."""
    if _writable(cache_folder()):
        kernel._cache = _KernelCache(kernel.py_func)  # type: ignore[no-untyped-call]
    return kernel


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


Kernel = Callable[..., tuple[int, int, int, float]]
"""What `kernels.kernel` returns."""
