"""Putting a page or a picture in its place: whole, or the one before stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import TolaError
from core.files import put_in_place


def publish(path: Path, write: Callable[[Path], Any], remedy: str = "free space") -> None:
    """Let a file be written beside its place, and put it there.

    Raises
    ------
    TolaError : it cannot be written; it ends with the remedy.
    """
    fresh = path.with_name(f".{path.name}-{os.getpid()}.new")
    try:
        write(fresh)
        put_in_place(fresh, path)
    except OSError as cause:
        raise TolaError(f"{path} could not be written ({cause.strerror}); {remedy}") from cause
    finally:
        fresh.unlink(missing_ok=True)
