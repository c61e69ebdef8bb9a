"""Deals a table out to the workers of a Dask cluster, and takes back what lost ones had.

Each portion is bound to one worker, so that neighbours share its work. Dask would leave what was
bound to a worker that is gone where it is, so that is dealt out again here.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue
from typing import Any

from backtests.search.here import Stopped
from backtests.search.portions import Portion, Portions
from backtests.search.runners import Given, Record
from core.errors import TolaError

PATIENCE_SECS = 10.0
_AHEAD = 2
"""Portions a worker holds at a time: the next one is there when the last is done."""
_LISTEN_SECS, _LOOK_SECS = 0.2, 2.0
"""How often results, and workers that have come or gone, are looked for."""
_DESERTED_SECS = 60.0

Found = Iterator[tuple[int, Sequence[Record]]]


class Dealing:
    """One table on its way through a cluster.

    Parameters
    ----------
    submit : callable(worker's address, table) that returns a Dask future of packed records and the
        seconds they took.
    addresses : returns the addresses of the workers there are, in a steady order.
    """

    def __init__(
        self,
        submit: Callable[[str, Sequence[Given]], Any],
        addresses: Callable[[], list[str]],
        table: Sequence[Given],
        stopped: Stopped,
    ) -> None:
        self._submit, self._addresses = submit, addresses
        self._table, self._stopped = table, stopped
        self._names = addresses()
        self._present = set(range(len(self._names)))
        self._portions = Portions(len(table), len(self._names))
        self._under_way: dict[Any, tuple[int, Portion, Any]] = {}
        self._done: Queue[Any] = Queue()
        self._looked = self._seen = time.monotonic()

    def run(self) -> Found:
        """Yield results as they come.

        Raises
        ------
        TolaError : the scheduler is gone, or all workers are.
        """
        self._fill()
        while self._under_way or (self._portions.left and not self._stopped()):
            if time.monotonic() - self._looked > _LOOK_SECS:
                self._looked = time.monotonic()
                yield from self._look()
            try:
                future = self._done.get(timeout=_LISTEN_SECS)
            except Empty:
                continue
            if future.key in self._under_way:
                yield from self._hear(future)

    def _fill(self) -> None:
        """Let every worker have portions ahead."""
        for place in sorted(self._present):
            held = sum(owner == place for owner, _, _ in self._under_way.values())
            for _ in range(_AHEAD - held):
                self._deal(place)

    def _deal(self, place: int) -> None:
        portion = None if self._stopped() else self._portions.take(place)
        if portion is None:
            return
        future = self._submit(self._names[place], self._table[portion.first : portion.last])
        self._under_way[future.key] = (place, portion, future)
        future.add_done_callback(self._done.put)

    def _hear(self, future: Any) -> Found:
        place, portion, _ = self._under_way.pop(future.key)
        answer = self._answer(future, place)
        if answer is None:
            yield from self._lost(portion)
        else:
            content, seconds = answer
            self._portions.took(place, portion, seconds)
            yield portion.first, pickle.loads(content)
        if place in self._present:
            self._deal(place)

    def _answer(self, future: Any, place: int) -> tuple[bytes, float] | None:
        """Fetch what a worker found; None where it is gone and has taken that along."""
        from distributed import KilledWorker

        until = time.monotonic() + PATIENCE_SECS
        while True:
            try:
                answer: tuple[bytes, float] = future.result(timeout=_LOOK_SECS)
                return answer
            except KilledWorker:
                return None
            except TimeoutError as cause:
                if self._names[place] not in self._addresses():
                    return None
                if time.monotonic() > until:
                    raise scheduler_gone(cause) from cause

    def _look(self) -> Found:
        """Take back what workers had that are gone, and let new ones take part."""
        there = self._addresses()
        for place in sorted(self._present):
            if self._names[place] not in there:
                self._present.discard(place)
                yield from self._take_back(place)
        for name in there:
            if name not in self._names:
                self._names.append(name)
                self._portions.add_worker()
            self._present.add(self._names.index(name))
        self._fill()
        if self._present:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _DESERTED_SECS:
            raise TolaError(
                "the cluster has lost all its workers, and none came back; what was done is kept: "
                "start some, and go on with --resume"
            )

    def _take_back(self, place: int) -> Found:
        mine = [key for key, (owner, _, _) in self._under_way.items() if owner == place]
        for number, key in enumerate(mine):
            _, portion, future = self._under_way.pop(key)
            future.cancel()
            yield from self._lost(portion, blamed=number == 0)  # the others had not begun

    def _lost(self, portion: Portion, *, blamed: bool = True) -> Found:
        fatal = self._portions.lost(portion, blamed=blamed)
        if fatal is not None:
            yield fatal.first, [Record(None, "it ends its worker process")]


def scheduler_gone(cause: BaseException) -> TolaError:
    """Return what is said when the scheduler does not answer any more."""
    return TolaError(
        f"the cluster's scheduler is gone ({cause or type(cause).__name__}); what was done is kept "
        "(--resume)"
    )
