"""Progress of a run: a bar with bars/s and time left in a terminal, silence elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

WIDTH = 24
INTERVAL_SECS = 0.1


class Progress:
    """Shows how far a run is, on one line of a terminal that it wipes at the end.

    Parameters
    ----------
    stream : text stream
        Usually stderr, so that stdout holds results alone.
    wanted : bool
        False shows nothing even in a terminal.
    """

    def __init__(self, stream: TextIO, wanted: bool = True) -> None:
        self._stream = stream
        self.active = wanted and stream.isatty()
        self._title = ""
        self._total = 0
        self._began = self._shown = 0.0

    def begin(self, title: str, total: int) -> None:
        """Start a stage of `total` bars."""
        self._title, self._total = title, total
        self._began, self._shown = time.monotonic(), 0.0
        self.update(0)

    def update(self, done: int) -> None:
        """Show that `done` bars are finished; cheap to call often."""
        now = time.monotonic()
        if not self.active or now - self._shown < INTERVAL_SECS:
            return
        self._shown = now
        share = done / self._total if self._total else 0.0
        rate = done / (now - self._began) if now > self._began else 0.0
        left = (self._total - done) / rate if rate else 0.0
        bar = ("#" * round(share * WIDTH)).ljust(WIDTH, ".")
        text = f"{self._title}  [{bar}] {share:4.0%}  {rate:,.0f} bars/s  {left:.0f} s left"
        self._stream.write(f"\r{text:<79}")
        self._stream.flush()

    def note(self, line: str) -> None:
        """Show one passing remark, such as that kernels are being compiled."""
        if self.active:
            self._stream.write(f"\r{line:<79}")
            self._stream.flush()

    def end(self) -> None:
        """Wipe the line."""
        if self.active:
            self._stream.write("\r" + " " * 79 + "\r")
            self._stream.flush()
