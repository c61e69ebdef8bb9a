"""What ends a running session from outside: Ctrl-C, a request to terminate, a closed terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ending(ask: Callable[[], bool]) -> Iterator[None]:
    """Let the first signal ask for an end in order, a second one end it at once.

    Under nohup a terminal may close. In threads, which no signal reaches, nothing is done.

    Parameters
    ----------
    ask : asks for the end; False where it was asked for before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [signal.SIGINT, getattr(signal, "SIGTERM", signal.SIGINT)]
    closed = getattr(signal, "SIGHUP", None)  # Windows has none
    if closed is not None and signal.getsignal(closed) is not signal.SIG_IGN:
        wanted.append(closed)
    before = {number: signal.getsignal(number) for number in wanted}

    def interrupted(number: int, frame: Any) -> None:
        if not ask():
            raise KeyboardInterrupt

    for number in wanted:
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
