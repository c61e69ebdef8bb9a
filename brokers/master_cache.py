"""Lists of contracts on disk, one file a venue and day, each with where it came from.

A list is fetched once a day. One that is damaged is put aside and fetched anew; one of an earlier
day stands in only where the caller allows it, and says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

from brokers.contracts import Contract
from brokers.errors import AuthError, VenueError
from brokers.master import ContractMaster, Origin
from core.calendar import day_date, day_number
from core.compile import user_cache_folder
from core.errors import BrokerError, DataError
from core.files import put_in_place
from core.log import redact
from core.results import json_text

logger = logging.getLogger(__name__)

SCHEMA = 1
_KEPT = 5
"""Days kept; older ones are removed when a new one is written."""
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]+")


class MasterCache:
    """The kept lists of one venue.

    Parameters
    ----------
    venue, scope : as in `Origin`.
    mapping : names what made contracts of the rows; a list made by another is not used.
    folder : of all venues' lists; the user's cache folder by default.
    """

    def __init__(
        self, venue: str, scope: str = "", mapping: str = "1", folder: Path | None = None
    ) -> None:
        self.venue = venue
        self.scope = scope
        self._mapping = mapping
        top = folder or user_cache_folder() / "contracts"
        self.folder = top / _file_name(venue) / (_file_name(scope) or "all")

    def days(self) -> list[int]:
        """Return the days of which a list is kept, oldest first."""
        found = []
        with contextlib.suppress(OSError):
            for path in self.folder.glob("*.json"):
                with contextlib.suppress(ValueError):
                    found.append(day_number(date.fromisoformat(path.stem)))
        return sorted(found)

    def read(self, day: int, symbols: Iterable[str]) -> tuple[Origin, list[Contract]] | None:
        """Return a day's list; None where none is kept that was searched for these symbols.

        Raises
        ------
        DataError : the file cannot be read or is not what was written.
        """
        path = self._path(day)
        try:
            document = json.loads(path.read_bytes())
            contracts = [Contract(**item) for item in document["contracts"]]
            origin = _origin(document["origin"])
            is_whole = document["digest"] == _digest(document["contracts"])
            is_ours = (document["schema"], document["mapping"]) == (SCHEMA, self._mapping)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
            raise DataError(f"cannot be read: {cause}", file=path.as_posix()) from cause
        if not is_whole:
            raise DataError("is not what was written", file=path.as_posix())
        whose = (self.venue, self.scope, day)
        if (origin.venue, origin.scope, origin.day) != whose:
            raise DataError(f"holds {origin.describe()}", file=path.as_posix())
        if not is_ours or not set(symbols) <= set(origin.asked):
            return None
        return origin, contracts

    def write(self, master: ContractMaster) -> None:
        """Keep a list whole or not at all; where the folder cannot be written, nothing is kept."""
        contracts = [asdict(item) for item in master.all]
        document = {
            "schema": SCHEMA,
            "mapping": self._mapping,
            "origin": asdict(master.origin) | {"source": redact(master.origin.source)},
            "contracts": contracts,
            "digest": _digest(contracts),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(json_text(document))
                put_in_place(Path(name), self._path(master.origin.day))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as fault:
            logger.warning("the contract list cannot be kept venue=%s error=%s", self.venue, fault)
            return
        for day in self.days()[:-_KEPT]:
            with contextlib.suppress(OSError):
                self._path(day).unlink()

    def put_aside(self, day: int) -> None:
        """Give a damaged file another name, so that it is not met again."""
        path = self._path(day)
        with contextlib.suppress(OSError):
            put_in_place(path, path.with_suffix(".damaged"))

    def _path(self, day: int) -> Path:
        return self.folder / f"{day_date(day).isoformat()}.json"


def load_master(
    cache: MasterCache,
    day: int,
    symbols: Iterable[str],
    fetch: Callable[[], ContractMaster],
    *,
    make: Callable[[Origin, list[Contract]], ContractMaster] = ContractMaster,
    oldest_days: int = 0,
) -> ContractMaster:
    """Return the list of a day: kept, else fetched, else an older one where that is allowed.

    Parameters
    ----------
    fetch : asks the venue; raises a `VenueError` where it does not answer.
    make : a master of what was kept; with another roll rule, or the user's own tables.
    oldest_days : how many days older a list may be that stands in. 0: none, since ids are given to
        other contracts after an expiry.

    Raises
    ------
    BrokerError : none is kept and none could be fetched: says why, and what is kept.
    AuthError : the venue asks for a login.
    """
    wanted = frozenset(symbols)
    damage = ""
    try:
        kept = cache.read(day, wanted)
    except DataError as fault:
        logger.warning("a contract list is damaged and fetched anew %s", fault)
        cache.put_aside(day)
        kept, damage = None, f"; the kept one was damaged ({fault})"
    if kept is not None:
        return make(*kept)
    try:
        master = fetch()
    except AuthError:
        raise
    except VenueError as cause:
        return _older(cache, day, wanted, make, oldest_days, cause, damage)
    cache.write(master)
    return master


def _older(
    cache: MasterCache,
    day: int,
    wanted: frozenset[str],
    make: Callable[[Origin, list[Contract]], ContractMaster],
    oldest_days: int,
    cause: VenueError,
    damage: str,
) -> ContractMaster:
    found = None
    for kept in reversed(cache.days()):
        if kept < day and found is None:
            with contextlib.suppress(DataError):
                found = cache.read(kept, wanted)
    if found is not None and day - found[0].day <= oldest_days:
        origin = replace(found[0], stale_for=day - found[0].day)
        logger.warning("an old contract list stands in %s", origin.describe())
        return make(origin, found[1])
    newest = f"the newest kept is of {day_date(found[0].day)}" if found else "none is kept"
    raise BrokerError(
        f"{cache.venue}: the contract list of {day_date(day)} cannot be fetched ({cause}); "
        f"{newest}{damage}: try again when the venue answers"
    ) from cause


def _origin(given: Mapping[str, Any]) -> Origin:
    values: dict[str, Any] = dict(given)
    for name in ("asked", "faults"):
        values[name] = tuple(values[name])
    return Origin(**values)


def _digest(contracts: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(contracts, sort_keys=True).encode()).hexdigest()


def _file_name(name: str) -> str:
    """Return a name fit for a folder; names that would then be alike get their digest."""
    clean = _FOREIGN.sub("_", name)
    return clean if clean == name else f"{clean}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
