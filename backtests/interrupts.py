"""What Ctrl-C does: end a run after the bar at hand, or wait until results are written."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = "stopping after this bar; Ctrl-C again stops at once and drops this run"

UNWINDING_SECS = 0.5
"""Ctrl-C so soon after one that ended a run belongs to it: fingers hit it several times."""

_Handler = Callable[[int, FrameType | None], None]


@contextmanager
def stopping(
    stop: Callable[[], None], has_begun: Callable[[], bool], tell: Callable[[str], None]
) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end a run after the bar at hand, the second at once.

    Before the first bar (while kernels compile, say) there is nothing to keep: the first ends it.
    While the run unwinds, more of them change nothing; a strategy that swallowed one meets the
    next.
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
    raised_at = -UNWINDING_SECS

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal raised_at
        hits.append(number)
        now = time.monotonic()
        if now - raised_at < UNWINDING_SECS:
            return
        if len(hits) > 1 or not has_begun():
            raised_at = now
            raise KeyboardInterrupt
        tell(STOPPING)
        stop()

    with _handled(hear):
        yield lambda: bool(hits)


@contextmanager
def interruptible(stop: Callable[[], None], tell: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C ask what is at work to stop, a later one end it at once.

    Parameters
    ----------
    stop : callable
        Asks to stop. tell : callable, says that Ctrl-C was heard.
    """
    hits: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        hits.append(number)
        if len(hits) > 1:
            raise KeyboardInterrupt
        stop()
        tell()

    with _handled(hear):
        yield


@contextmanager
def held() -> Iterator[None]:
    """Ignore Ctrl-C while finished results are written, which takes a moment."""
    with _handled(_ignore):
        yield


def keep() -> None:
    """Ignore Ctrl-C for the rest of the process: a result stands that no fault of order may lose.

    What follows may listen again for a while (`stopping`, `listening`).
    """
    signal.signal(signal.SIGINT, _ignore)


@contextmanager
def listening() -> Iterator[None]:
    """Let Ctrl-C end what follows, by KeyboardInterrupt.

    A library may make an error of its own of it, as matplotlib's renderer does: that is Ctrl-C too.
    """
    was_heard = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal was_heard
        was_heard = True
        raise KeyboardInterrupt

    with _handled(hear):
        try:
            yield
        except Exception as error:
            if was_heard:
                raise KeyboardInterrupt from error
            raise


def _ignore(number: int, frame: FrameType | None) -> None:
    pass


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
