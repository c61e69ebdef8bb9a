"""Where compiled kernels keep their cache, and the one decorator that makes a kernel.

numba's own cache has two faults for us: a cached loop is not rebuilt when a function it calls
in *another* module changes, and it fails at import where no cache folder is writable. So the
cache folder is chosen here, before numba is first imported: a per-user folder named by the hash
of every kernel source in the project, the numba version and the CPU. Where no such folder can
be written, caching is switched off with one warning and everything still works.

Every module that compiles anything imports `kernel` from here and never numba's decorators.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

logger = logging.getLogger(__name__)

_Function = TypeVar("_Function", bound=Callable[..., Any])

KERNEL_PACKAGES = ("core", "indicators", "risk", "strategies", "feeds", "backtests")
"""Packages whose sources may hold compiled functions; all of them enter the cache's name."""


def user_cache_folder() -> Path:
    """Return this user's cache folder for the project (not created), by platform convention."""
    override = os.environ.get("TOLA_CACHE_DIR")
    if override:
        return Path(override)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "tola"


def source_digest(root: Path | None = None) -> str:
    """Return a short hash of all kernel sources, the numba version, Python and the CPU.

    Only files that mention this module count as kernel sources.
    """
    top = root or Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in KERNEL_PACKAGES:
        for path in sorted((top / package).rglob("*.py")):
            text = path.read_bytes()
            if b"core.compile" in text:
                digest.update(path.relative_to(top).as_posix().encode() + b"\0" + text)
    digest.update(importlib.metadata.version("numba").encode())
    digest.update(sys.version.encode())
    digest.update((platform.processor() or platform.machine()).encode())
    return digest.hexdigest()[:16]


def _prepare_cache() -> bool:
    """Point numba at our cache folder; say whether it can be written."""
    folder = user_cache_folder() / "kernels" / source_digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as cause:
        logger.warning("compiled kernels are not cached (%s); set TOLA_CACHE_DIR", cause)
        return False
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return True


CACHED = _prepare_cache()

import numba  # noqa: E402  (the cache folder must be in the environment before this import)


class _QuietCache:
    """numba's cache of one function, opened when the function is first called.

    numba's own touches the disk for each function a module defines, called or not, and prepares
    the whole compiler (0.4 s) before it reads what is compiled already. This one does neither:
    whatever has to be compiled after all prepares the compiler itself.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @cached_property
    def _disk(self) -> Any:
        from numba.core import caching

        return cast(Any, caching).FunctionCache(self._function)  # numba's caches are untyped

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the compiled function of a signature, None if it is not in the cache."""
        from numba.core import runtime

        cast(Any, runtime).rtsys.initialize(target_context)  # what compiled code calls; once
        disk = self._disk
        with disk._guard_against_spurious_io_errors():
            return disk._load_overload(signature, target_context)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._disk, name)


def _compiled(function: _Function, **options: Any) -> _Function:
    """Return the function compiled on its first call, or read from the cache."""
    made: Any = numba.njit(error_model="python", fastmath=False, **options)(function)
    if CACHED and made is not function:  # with the compiler disabled it stays what it was
        made._cache = _QuietCache(function)
    return cast(_Function, made)


def kernel(function: _Function) -> _Function:
    """Compile a function that keeps the kernel arithmetic.

    Allowed: + - * /, comparisons, abs, min, max, floor, sqrt, log on scalars and explicit loops.
    Not allowed: array reductions, `**`, numpy ufuncs, fastmath. So compiled, one-bar and
    uncompiled runs (NUMBA_DISABLE_JIT=1) agree bit for bit. Divide only by what was tested
    (the error model is Python's: a zero divisor raises).
    """
    return _compiled(function)


def inlined(function: _Function) -> _Function:
    """Compile a small kernel that is copied into each of its callers.

    The rules are those of `kernel`. Left to itself the compiler calls kernels that take records,
    which costs as much as their work; copied, a block runs a quarter faster.
    """
    return _compiled(function, forceinline=True)


def inner(function: _Function) -> _Function:
    """Compile a kernel that only other kernels call.

    The rules are those of `kernel`. Without an entry for Python it compiles a quarter faster;
    called from Python it ends the process (uncompiled it is a plain function).
    """
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def shared(function: _Function) -> _Function:
    """Let kernels compile a plain function into themselves; for Python it stays what it is.

    The rules are those of `kernel`. It serves arithmetic that Python objects and compiled loops
    both do: attributes are read and written by name, so an object and a record serve alike. A
    call from Python costs no dispatch, and nothing is compiled for it.
    """
    from numba import extending

    return cast(_Function, cast(Any, extending).register_jitable(function))


def unmanaged(function: _Function) -> _Function:
    """Compile a kernel that allocates nothing, without counting references to its arrays.

    The rules are those of `kernel`. A call that hands on twenty arrays would count each of them,
    atomically, up and down; in a loop over bars that costs more than the loop's own work.
    """
    return _compiled(function, _nrt=False)


@contextmanager
def compile_clock() -> Iterator[Callable[[], float]]:
    """Measure compiling (not: reading the cache) within a `with` block.

    Yields a function that gives the seconds so far.
    """
    from numba.core import event

    listener: Any = cast(Any, event).TimingListener()  # numba's events are untyped
    with event.install_listener("numba:compile", listener):
        yield lambda: float(listener.duration) if listener.done else 0.0


@contextmanager
def compile_watch() -> Iterator[Callable[[], float]]:
    """Follow compiling within a `with` block, from any thread.

    Yields a function that gives the monotonic time at which something was last being compiled: now
    while it is, 0 before the first time.
    """
    from numba.core import event

    class Watch(cast(Any, event).Listener):  # type: ignore[misc]
        depth = 0
        ended = 0.0

        def on_start(self, event: Any) -> None:
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            self.ended = time.monotonic()

    watch = Watch()
    with event.install_listener("numba:compile", watch):
        yield lambda: time.monotonic() if watch.depth > 0 else watch.ended


def record_dtype(fields: list[Any]) -> np.dtype[Any]:
    """Return an aligned structured type whose scalars have attributes, compiled or not.

    Kernels take records (`state.ring[i]`, `bar.high`): numba reads these as plain structs and
    numpy as `np.record`, so the same text runs uncompiled. Sub-records and fixed arrays of
    records nest.
    """
    names: list[str] = []
    formats: list[Any] = []
    offsets: list[int] = []
    size = 0
    for field in fields:
        name, base = field[0], np.dtype(field[1])
        shape = field[2] if len(field) > 2 else ()
        # numpy forgets the alignment of an np.record type, so nested records are placed here:
        # on multiples of 8, as numba expects an aligned struct to lie.
        step = 8 if base.names else base.alignment
        size = -(-size // step) * step
        names.append(name)
        formats.append((base, shape) if shape else base)
        offsets.append(size)
        size += np.dtype(formats[-1]).itemsize
    layout: Any = {
        "names": names,
        "formats": formats,
        "offsets": offsets,
        "itemsize": -(-size // 8) * 8,
    }
    return np.dtype((np.record, np.dtype(layout, align=True)))
