"""Putting a finished file or folder in its place, on every system alike."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECS = 2.0
_PAUSE_SECS = 0.05


def put_in_place(fresh: Path, target: Path) -> None:
    """Give a finished file or folder its final name; a file of that name is replaced.

    Windows refuses while another program (a virus scanner, an indexer, a spreadsheet) holds one
    of the two open. Most let go in a moment, so it is tried again for PATIENCE_SECS.

    Raises
    ------
    OSError : it is still refused, or refused for another reason.
    """
    end = time.monotonic() + PATIENCE_SECS
    while True:
        try:
            fresh.replace(target)
        except PermissionError:
            if time.monotonic() > end or not _waiting_helps(fresh, target):
                raise
            time.sleep(_PAUSE_SECS)
        else:
            return


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield the name to write a file under before it takes its place, whole; a part is removed.

    Two processes that write one file do not share that name: the later one's file stays.
    """
    fresh = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        yield fresh
        put_in_place(fresh, target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut, where a folder can be synced."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _waiting_helps(fresh: Path, target: Path) -> bool:
    """Say whether waiting may help: not where the folder itself may not be written."""
    return os.name == "nt" and fresh.exists() and target.parent.is_dir()
