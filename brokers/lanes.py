"""Work for a few threads, in lanes: what is put in one lane is done in turn, lanes side by side."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

logger = logging.getLogger(__name__)

Job = Callable[[], None]

_HANDOVER_SECS = 1e-4
"""How long one who puts a job steps back; a thread wakes up in less."""


class Lanes:
    """Runs jobs on threads of its own.

    Requests about one order go in one lane: a cancel never overtakes the order it is about, and a
    request that hangs holds up no other order.

    Parameters
    ----------
    name : of the threads. threads : most at once.
    goes_first : who puts a job steps back for a moment, so that it begins at once. Python runs one
        thread at a time: a job would wait until the one that put it waits for something itself.
    """

    def __init__(self, name: str, threads: int, *, goes_first: bool = False) -> None:
        self._name = name
        self._most = threads
        self._goes_first = goes_first
        self._lanes: dict[str, deque[Job]] = {}
        self._ready: deque[str] = deque()
        self._turn = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._is_closed = False

    def put(self, lane: str, job: Job) -> bool:
        """Add a job to the end of a lane; False where no more are taken.

        The very job that is last in its lane and has not begun is not added again: looks at a
        venue that answers more slowly than it is looked at do not heap up.
        """
        with self._turn:
            if self._is_closed:
                return False
            waiting = self._lanes.get(lane)
            if waiting is not None:
                if not waiting or waiting[-1] != job:
                    waiting.append(job)
                return True
            self._lanes[lane] = deque([job])
            self._ready.append(lane)
            if self._idle < len(self._ready) and len(self._threads) < self._most:
                self._start()
            self._turn.notify()
        if self._goes_first:
            time.sleep(_HANDOVER_SECS)
        return True

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being done or waits."""
        with self._turn:
            return not self._lanes

    def close(self, timeout_secs: float) -> None:
        """Take no more, drop what waits, and wait for what is being done."""
        with self._turn:
            self._is_closed = True
            for waiting in self._lanes.values():
                waiting.clear()
            self._turn.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout_secs)

    def _start(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while True:
            with self._turn:
                self._idle += 1
                self._turn.wait_for(lambda: self._ready or self._is_closed)
                self._idle -= 1
                if not self._ready:
                    return
                lane = self._ready.popleft()
                waiting = self._lanes[lane]
                job = waiting.popleft() if waiting else None
            if job is not None:
                self._do(job)
            with self._turn:
                if waiting:
                    self._ready.append(lane)
                    self._turn.notify()
                else:
                    del self._lanes[lane]

    def _do(self, job: Job) -> None:
        try:
            job()
        except Exception:  # the outer edge of a thread: a job tells its own faults
            logger.exception("a job failed thread=%s", threading.current_thread().name)
