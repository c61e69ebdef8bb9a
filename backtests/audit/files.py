"""Which files a user's own code opens: what stands in them no audit can bound."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".toml")
_ROOT = Path(__file__).resolve().parents[2]
_OURS = ("core", "indicators", "strategies", "risk", "brokers", "backtests", "live", "reports")
_LIBRARIES = (sys.prefix, sys.base_prefix, "<")
_MACHINE = ("/sys/", "/proc/", "/dev/", "/etc/")
"""Where the system tells libraries about itself."""


@dataclass(frozen=True)
class Opened:
    """A file that was opened for reading. path : absolute. file, line : of the user's code."""

    path: str
    file: str
    line: int


_listening: list[list[Opened]] = []
_hooked: list[bool] = []


@contextmanager
def opened_files() -> Iterator[list[Opened]]:
    """Note the files that code outside the project opens, itself or through a library.

    Yields the list, which grows. Python's audit hooks cannot be taken back: the one of this module
    is set once and does nothing outside such a block.
    """
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked.append(True)
    found: list[Opened] = []
    _listening.append(found)
    try:
        yield found
    finally:
        _listening.remove(found)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _listening:
        return
    path, mode = arguments[0], arguments[1]
    if not isinstance(path, str) or (mode and not str(mode).startswith("r")):
        return
    if path.endswith(_CODE) or path.startswith((*_LIBRARIES, *_MACHINE)):
        return
    place = _user_line(sys._getframe(1))
    if place is None:
        return
    item = Opened(str(Path(path).resolve()), *place)
    for found in _listening:
        if item not in found:
            found.append(item)


def _user_line(frame: FrameType | None) -> tuple[str, int] | None:
    """Return the user's line that led here; None where none did, or code of ours came between.

    What our own modules open is theirs, but for prices they load for a strategy (`feeds`); and a
    module that is being imported reads what it needs.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib") and "_find_and_load" in frame.f_code.co_name:
            return None
        kind = _kind_of(file)
        if kind == "ours":
            return None
        if kind == "user":
            return file, frame.f_lineno
        frame = frame.f_back
    return None


@lru_cache(maxsize=4096)
def _kind_of(file: str) -> str:
    if file.startswith(_LIBRARIES):
        return "library"
    path = Path(file).resolve()
    if not path.is_relative_to(_ROOT):
        return "user"
    package = path.relative_to(_ROOT).parts[0]
    return "ours" if package in (*_OURS, "run.py") else "library" if package == "feeds" else "user"
