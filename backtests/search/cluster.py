"""Runs sets on a Dask cluster: a scheduler that stands somewhere, or one started here.

The plan's parcel goes to each worker once, those that come later too (a worker plugin); then only
parameters travel.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from backtests.search.dealing import PATIENCE_SECS, Dealing, scheduler_gone
from backtests.search.here import Stopped
from backtests.search.parcel import Parcel
from backtests.search.pool import without_interrupts
from backtests.search.runners import Given, Record, Runner
from core.errors import ConfigError, TolaError

LOCAL = "local"
_START_SECS = 60.0
_SILENT_FOR = "60s"
"""A local worker that says nothing for so long is taken for dead; Dask's own is five minutes."""


class Cluster:
    """A client of a Dask scheduler.

    Parameters
    ----------
    address : `tcp://host:port`, or "local" for a cluster of its own.
    workers : processes of a local cluster.

    Raises
    ------
    ConfigError : Dask is not installed; workers of other versions, or without Tola.
    TolaError : no scheduler answers, or it has no workers.
    """

    def __init__(self, address: str, workers: int) -> None:
        distributed = _dask()
        self._address = address
        self._key = ""
        self._cluster: Any = None
        if address == LOCAL:
            silence = {"distributed.scheduler.worker-ttl": _SILENT_FOR}
            with without_interrupts(), _dask_settings(silence):
                self._cluster = _start(distributed, workers)
            self._client = distributed.Client(self._cluster, set_as_default=False)
        else:
            self._client = _connect(distributed, address)
        try:
            self._check_workers(workers if address == LOCAL else 1)
        except BaseException:
            self.close()
            raise

    def take(self, parcel: Parcel) -> Cluster:
        """Send a packed runner to all workers, also those that come later; return this."""
        self._leave_parcel()
        self._key = parcel.key
        self._client.register_plugin(_plugin(_dask(), parcel), name=f"tola-{parcel.key}")
        return self

    def _leave_parcel(self) -> None:
        """Let workers that come later no longer be sent what was taken."""
        if self._key:
            with suppress(TimeoutError, OSError, RuntimeError, ValueError):
                self._client.unregister_worker_plugin(f"tola-{self._key}")

    @property
    def addresses(self) -> list[str]:
        """The workers' addresses, in a steady order."""
        return sorted(self._client.scheduler_info(n_workers=-1)["workers"])

    def run(
        self, table: Sequence[Given], stopped: Stopped
    ) -> Iterator[tuple[int, Sequence[Record]]]:
        """Run the sets as workers become free.

        Raises
        ------
        ConfigError : a worker cannot read the strategy's file.
        TolaError : the scheduler is gone, or all workers are.
        """
        try:
            yield from Dealing(self._send, lambda: self.addresses, table, stopped).run()
        except (CancelledError, OSError, TimeoutError, RuntimeError) as cause:
            raise scheduler_gone(cause) from cause

    def _send(self, worker: str, table: Sequence[Given]) -> Any:
        return self._client.submit(
            play, self._key, pickle.dumps(list(table)), workers=[worker], pure=False
        )

    def close(self) -> None:
        """Leave the scheduler; end a local cluster."""
        if self._address != LOCAL:
            self._leave_parcel()
        with suppress(TimeoutError, OSError):  # a worker that is being replaced takes its time
            self._client.close(timeout=PATIENCE_SECS)
            if self._cluster is not None:
                self._cluster.close(timeout=PATIENCE_SECS)

    def _check_workers(self, least: int) -> None:
        """Wait for workers, and compare what they run with what runs here."""
        address = self._address
        try:
            patience = _START_SECS if address == LOCAL else PATIENCE_SECS
            self._client.wait_for_workers(least, timeout=patience)
        except TimeoutError as cause:
            raise TolaError(
                f"--cluster {address}: its scheduler has no workers; start some in Tola's folder: "
                f"python -m dask worker {address} --nthreads 1"
            ) from cause
        ours = versions()
        for worker, theirs in self._ask_versions().items():
            if not isinstance(theirs, dict):
                raise ConfigError(
                    f"--cluster {address}: worker {worker} cannot import Tola ({theirs}); start it "
                    f"in Tola's folder: python -m dask worker {address} --nthreads 1"
                )
            for name, version in ours.items():
                if theirs.get(name) != version:
                    raise ConfigError(
                        f"--cluster {address}: worker {worker} runs {name} {theirs.get(name)}, "
                        f"and here it is {version}; results could differ: install the same there"
                    )

    def _ask_versions(self) -> Mapping[str, Any]:
        """Return each worker's versions, or the exception it answered with."""
        answers: Mapping[str, Any] = self._client.run(versions, on_error="return")
        return answers


_parcels: dict[str, Parcel] = {}
_runners: dict[str, Runner] = {}
_at_work = threading.Lock()
"""A worker with several threads still runs sets one after the other: they share its arrays."""


def take_parcel(parcel: Parcel) -> None:
    """Keep a search's parcel in a worker; those of earlier searches go."""
    with _at_work:
        _parcels.clear()
        _runners.clear()
        _parcels[parcel.key] = parcel


def play(key: str, table: bytes) -> tuple[bytes, float]:
    """Run sets in a worker; return their records and the seconds they took.

    Sets and records are pickled: what Dask is given it looks through, item by item.

    Raises
    ------
    ConfigError : the strategy's file is not there.
    """
    with _at_work:
        if key not in _runners:
            _runners[key] = _parcels[key].open()
        began = time.perf_counter()
        records = _runners[key].run(pickle.loads(table))
        return pickle.dumps(records), time.perf_counter() - began


def versions() -> dict[str, str]:
    """Return what results may hang on, of this process."""
    import platform
    from importlib.metadata import version

    from backtests.store import code_version

    found = {name: version(name) for name in ("numpy", "numba", "pandas", "backtrader")}
    return {"Tola": code_version(), "Python": platform.python_version(), **found}


def _plugin(distributed: Any, parcel: Parcel) -> Any:
    class TakeParcel(distributed.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            take_parcel(parcel)

    return TakeParcel()


def _start(distributed: Any, workers: int) -> Any:
    try:
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    except (OSError, TimeoutError, RuntimeError) as cause:
        raise TolaError(
            f"--cluster local: its worker processes end before they begin ({cause})"
        ) from cause


def _connect(distributed: Any, address: str) -> Any:
    if not address.startswith(("tcp://", "tls://")):
        raise ConfigError(f"--cluster {address}: expected tcp://HOST:PORT, or local")
    if address.startswith("tls://") and distributed.Security().tls_ca_file is None:
        raise ConfigError(
            f"--cluster {address}: Dask has no certificates; name them in its settings "
            "(distributed.comm.tls), or use tcp://"
        )
    try:
        return distributed.Client(address, timeout=PATIENCE_SECS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as cause:
        raise TolaError(
            f"--cluster {address}: no scheduler answers there; start one: python -m dask scheduler "
            "(or --cluster local)"
        ) from cause


def _dask_settings(values: Mapping[str, Any]) -> Any:
    import dask

    return dask.config.set(values)


def _dask() -> Any:
    """Return the module; its own log lines would only repeat what we say in one."""
    try:
        import distributed
    except ImportError as cause:
        raise ConfigError(
            "--cluster needs Dask: install the extra: pip install '.[cluster]' "
            "(or python run.py setup --dev)"
        ) from cause
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed
