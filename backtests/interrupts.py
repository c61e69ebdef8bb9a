"""What Ctrl-C does: end a run after the bar at hand, or wait until results are written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = "stopping after this bar; Ctrl-C again stops at once and drops this run"

_Handler = Callable[[int, FrameType | None], None]


@contextmanager
def stopping(
    stop: Callable[[], None], has_begun: Callable[[], bool], tell: Callable[[str], None]
) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end a run after the bar at hand, the second at once.

    Before the first bar (while kernels compile, say) there is nothing to keep: the first ends it.
    Yields a function that says whether the run was interrupted.

    Parameters
    ----------
    stop : callable
        Asks the run to end after its bar.
    has_begun : callable
        Says whether a bar was run.
    tell : callable(line)
        Says at once that Ctrl-C was heard: what is at work may take seconds to end.
    """
    hits: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        hits.append(number)
        if len(hits) > 1 or not has_begun():
            raise KeyboardInterrupt
        tell(STOPPING)
        stop()

    with _handled(hear):
        yield lambda: bool(hits)


@contextmanager
def held() -> Iterator[None]:
    """Ignore Ctrl-C while finished results are summed up and written, which takes a moment."""
    with _handled(lambda number, frame: None):
        yield


@contextmanager
def _handled(handler: _Handler) -> Iterator[None]:
    """Handle Ctrl-C otherwise for a while; in threads, which never see it, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
