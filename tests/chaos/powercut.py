"""Power cuts: files put back to what was synced, by a shim that the harness compiles.

SQLite writes ahead and syncs at moments of its own; what lies in the system's cache when the power
goes may be lost, wholly or in part, file by file. The shim (powercut.c) keeps what was synced
aside; after a death the files are put back to it, or to a mixture of old and new sectors.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

SECTOR = 512
KINDS = ("write", "sync")
_SOURCE = Path(__file__).with_name("powercut.c")


class NoShim(Exception):
    """There can be no power cuts here, and why."""


def compile_shim(folder: Path) -> Path:
    """Compile the shim and see that it works.

    Raises
    ------
    NoShim : there is no compiler, or no way to load it before libc.
    """
    if not sys.platform.startswith("linux"):
        raise NoShim("power cuts need Linux: a library loaded before libc, and /proc")
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if compiler is None:
        raise NoShim("power cuts need a C compiler (cc, gcc or clang)")
    shim = folder / "powercut.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(shim), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoShim(f"power cuts: the shim does not compile: {done.stderr[-300:]}")
    _try(shim, folder)
    return shim


_TRIAL = """
import sqlite3, sys
from pathlib import Path
from tests.chaos import powercut
here, kept = map(Path, sys.argv[1:])
powercut.arm(str(here) + "/", str(kept))
file = sqlite3.connect(here / "trial.sqlite")
file.execute("PRAGMA journal_mode=WAL")
file.execute("PRAGMA synchronous=FULL")
file.execute("CREATE TABLE t (x)")
file.commit()
assert powercut.counted()["sync"] > 0
"""


def _try(shim: Path, folder: Path) -> None:
    """See that SQLite's syncs are noticed (it may be linked so that they are not)."""
    here, kept = folder / "trial", folder / "trial-kept"
    here.mkdir()
    kept.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _TRIAL, str(here), str(kept)],
        env={**os.environ, "LD_PRELOAD": str(shim)}, capture_output=True, text=True, check=False,
        cwd=_SOURCE.parents[2],
    )  # fmt: skip
    if done.returncode or not (kept / "trial.sqlite-wal").exists():
        raise NoShim(f"power cuts: SQLite's syncs are not seen here {done.stderr[-300:]}")


def arm(watched: str, kept: str, kind: str = "", nth: int = 0, after: bool = False) -> None:
    """In a process that has the shim: watch files whose path begins so; die at a write or sync."""
    number = KINDS.index(kind) if kind else -1
    shim = ctypes.CDLL(None)
    shim.chaos_arm(watched.encode(), kept.encode(), number, ctypes.c_long(nth), int(after))


def counted() -> dict[str, int]:
    """Return how many writes and syncs there were; none without the shim."""
    shim = ctypes.CDLL(None)
    if not hasattr(shim, "chaos_count"):
        return {}
    shim.chaos_count.restype = ctypes.c_long
    return {kind: int(shim.chaos_count(number)) for number, kind in enumerate(KINDS)}


def begin(folder: Path, kept: Path) -> None:
    """Before a process starts: all that lies on the disk is synced."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    for path in _files(folder):
        shutil.copyfile(path, kept / path.name)


def cut(folder: Path, kept: Path, torn: bool, chance: random.Random) -> list[str]:
    """After a death: put files back to what was synced; return the names of those that lost bytes.

    torn : each sector written since may have reached the disk or not; else none has.
    """
    lost = []
    for path in _files(folder):
        safe = kept / path.name
        now = path.read_bytes()
        then = safe.read_bytes() if safe.exists() else None
        if now == then:
            continue
        lost.append(path.name)
        if then is None:
            path.unlink()
        else:
            path.write_bytes(_mixed(then, now, chance) if torn else then)
    for path in folder.glob("*.sqlite-shm"):
        path.unlink()
    return lost


def _mixed(then: bytes, now: bytes, chance: random.Random) -> bytes:
    length = max(len(then), len(now))
    mixed = bytearray()
    for at in range(0, length, SECTOR):
        old, new = then[at : at + SECTOR], now[at : at + SECTOR]
        pick = new if old != new and chance.random() < 0.5 else old
        mixed += pick.ljust(min(SECTOR, length - at), b"\0")
    return bytes(mixed)


def _files(folder: Path) -> list[Path]:
    """Return the SQLite files of an account: the shared memory file is no disk's business."""
    return [
        path
        for path in sorted(folder.glob("*.sqlite*"))
        if not path.name.endswith(("-shm", "-writer"))
    ]
