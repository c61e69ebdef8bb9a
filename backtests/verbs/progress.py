"""Progress of a run: a bar with bars/s and time left in a terminal, silence elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

from core.terminal import width

WIDEST = 79
BAR = 24
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
        bar = ("#" * round(share * BAR)).ljust(BAR, ".")
        self._draw(f"[{bar}] {share:4.0%}  {left:.0f} s left  {rate:,.0f} bars/s  {self._title}")

    def note(self, line: str) -> None:
        """Show one passing remark, such as that kernels are being compiled."""
        if self.active:
            self._draw(line)

    def tell(self, line: str) -> None:
        """Print a line that stays, in any terminal: an answer to a key the user pressed."""
        if self._stream.isatty():
            self.end()
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def end(self) -> None:
        """Wipe the line."""
        if self.active:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        """Overwrite the line; a text that would wrap could never be wiped, so it is cut."""
        fits = min(width() - 1, WIDEST)
        self._stream.write(f"\r{text[:fits]:<{fits}}")
        self._stream.flush()
